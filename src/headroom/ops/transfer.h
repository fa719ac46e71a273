// Transfers between the tiers (Value::tier): a begin and a wait for each direction, so that other nodes run while the
// disk works, and the lifetimes of buffers are those of ordinary values. They have no kernels; the executor gives them
// to a TransferStream (backend/transfer_stream.h).
//
// Those of the lane of the disk; on the link to the host's memory they are called upload, uploaded, download and
// downloaded. From the model's files, which nobody writes, values come by fetch and fetched, on the disk's lane.
//
//   b... = load(d...)           begins to read each disk value d into a buffer b; nobody may look at b before
//   x... = loaded(b...)         which waits, and whose outputs live in b's storage
//   d... = store(x...)          begins to write each x, which must stay as it is until stored, to a new disk value
//   d'... = store(x..., d...)   or, with the attributes below, in place into part of a disk value that is there
//   d'... = stored(x..., d...)  waits for that; d' is d
//
// The attributes `first` and `elements` name the elements [first, first + elements) of every d. load then makes buffers
// of one dimension. `first` must lie on a page of 4096 bytes of the file, for every d.
//
// `first_row` and `rows` name whole rows of a matrix, of grouped formats whole panels, which begin a page, too: fetch
// makes a matrix of them.
//
// Some rows of a value that is written row by row, a KV cache, by r, which write_rows takes (ops/write_rows.h):
//
//   b = load_rows(d, r)         as load, but only the rows before the end of the last range of r, the others are
//   garbage d' = store_rows(x, d, r)    as store in place, of the rows from the first range on to the end of the last;
//   the
//                               attribute `rows` is how many they are at most, for the price
//
// Transfers may be in flight together; those of the same place on disk happen in the order of their begins.
#pragma once

#include "headroom/graph/op.h"

namespace headroom {

struct TransferOps {
  const Op* load;
  const Op* loaded;
  const Op* store;  // null for what is only read
  const Op* stored;
  const Op* load_rows = nullptr;  // of the disk
  const Op* store_rows = nullptr;
};

// Between the budgeted memory and `tier`, which is not that.
const TransferOps& transfer_ops(Tier tier);

}  // namespace headroom
