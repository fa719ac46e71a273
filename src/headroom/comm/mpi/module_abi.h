// What headroom_mpi.so offers: the few calls of MPI that ranks need, behind plain C, so that headroom itself knows no
// MPI and either library's build of the module does.
#pragma once

#include <cstdint>

extern "C" {

// An MPI_Request of whichever library.
struct HeadroomMpiRequest {
  alignas(8) unsigned char bytes[8];
};

// All return 0 or an MPI error code, for error_text(). One thread at a time calls them.
struct HeadroomMpi {
  int abi;              // kHeadroomMpiAbi of the build
  const char* library;  // "Open MPI 4.1.4"
  // MPI_Init_thread, for calls from one thread at a time.
  int (*start)();
  int (*rank)();
  int (*size)();
  // At most INT_MAX bytes; messages of one tag between two ranks keep their order.
  int (*send)(const void* data, int size_bytes, int peer, int tag, HeadroomMpiRequest* request);
  int (*receive)(void* data, int size_bytes, int peer, int tag, HeadroomMpiRequest* request);
  // Sets `done`, and lets everything that is under way go on.
  int (*test)(HeadroomMpiRequest* request, int* done);
  // Ends a receive that nothing has come for.
  int (*cancel)(HeadroomMpiRequest* request);
  int (*finish)();
  // Into `text`, at most `capacity` bytes with the closing 0.
  void (*error_text)(int error, char* text, int capacity);
};

// The one symbol of the module, `headroom_mpi`.
using HeadroomMpiEntry = const HeadroomMpi* (*)();
}

inline constexpr int kHeadroomMpiAbi = 1;
inline constexpr char kHeadroomMpiSymbol[] = "headroom_mpi";
