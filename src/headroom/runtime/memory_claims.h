// What the runs of one user on one machine have planned with and do not hold yet. A run looks at what is free, plans,
// encodes its text and only then commits its arena; a second one that looks meanwhile must not count on the same bytes.
//
// The ledger is a file in shared memory. A claim is an entry in it that its run has locked: the kernel drops the lock
// when the process ends, however it ends, and the claim with it. Where no such file can be, runs do not see each other.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "headroom/runtime/process_memory.h"

namespace headroom {

class MemoryClaims {
 public:
  // Opens the ledger `path`, or makes it. The default is one for each user and namespace of processes.
  explicit MemoryClaims(const std::string& path = default_path());
  ~MemoryClaims();
  MemoryClaims(const MemoryClaims&) = delete;
  MemoryClaims& operator=(const MemoryClaims&) = delete;

  // Of all other objects, those of this process included.
  std::vector<MemoryClaim> of_others() const;

  // Until the object goes: this process will hold up to `peak_bytes`. Called once. Where the ledger is full it is not
  // entered.
  void claim(int64_t peak_bytes);

  // While one lives, no other process has one: what is looked at in it holds until the claim is entered. Waits for
  // that, some seconds at most; a process that was stopped does not stop others.
  class Turn {
   public:
    explicit Turn(const MemoryClaims& claims);
    ~Turn();
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    const MemoryClaims& claims_;
  };

 private:
  static std::string default_path();

  int descriptor_ = -1;  // -1: there is no ledger
};

}  // namespace headroom
