// headroom_mpi.so: module_abi.h over <mpi.h>. Compiles against Open MPI and MPICH.
#define OMPI_SKIP_MPICXX 1
#define MPICH_SKIP_MPICXX 1
#include <mpi.h>

#include <cstdio>
#include <cstring>

#include "headroom/comm/mpi/module_abi.h"

namespace {

static_assert(sizeof(MPI_Request) <= sizeof(HeadroomMpiRequest));

#if defined(OPEN_MPI)
#define HEADROOM_TEXT_OF(number) #number
#define HEADROOM_VERSION_TEXT(a, b, c) HEADROOM_TEXT_OF(a) "." HEADROOM_TEXT_OF(b) "." HEADROOM_TEXT_OF(c)
constexpr char kLibrary[] =
    "Open MPI " HEADROOM_VERSION_TEXT(OMPI_MAJOR_VERSION, OMPI_MINOR_VERSION, OMPI_RELEASE_VERSION);
#elif defined(MPICH_VERSION)
constexpr char kLibrary[] = "MPICH " MPICH_VERSION;
#else
constexpr char kLibrary[] = "an MPI library";
#endif

MPI_Request load(const HeadroomMpiRequest& request) {
  MPI_Request result;
  std::memcpy(&result, request.bytes, sizeof(result));
  return result;
}

void store(MPI_Request from, HeadroomMpiRequest* request) { std::memcpy(request->bytes, &from, sizeof(from)); }

int start() {
  int provided = 0;
  const int error = MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &provided);
  if (error != MPI_SUCCESS) return error;
  if (provided < MPI_THREAD_SERIALIZED) return MPI_ERR_OTHER;
  return MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
}

int rank() {
  int result = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &result);
  return result;
}

int size() {
  int result = 0;
  MPI_Comm_size(MPI_COMM_WORLD, &result);
  return result;
}

int send(const void* data, int size_bytes, int peer, int tag, HeadroomMpiRequest* request) {
  MPI_Request begun = MPI_REQUEST_NULL;
  const int error = MPI_Isend(data, size_bytes, MPI_BYTE, peer, tag, MPI_COMM_WORLD, &begun);
  store(begun, request);
  return error;
}

int receive(void* data, int size_bytes, int peer, int tag, HeadroomMpiRequest* request) {
  MPI_Request begun = MPI_REQUEST_NULL;
  const int error = MPI_Irecv(data, size_bytes, MPI_BYTE, peer, tag, MPI_COMM_WORLD, &begun);
  store(begun, request);
  return error;
}

int test(HeadroomMpiRequest* request, int* done) {
  MPI_Request begun = load(*request);
  const int error = MPI_Test(&begun, done, MPI_STATUS_IGNORE);
  store(begun, request);
  return error;
}

int cancel(HeadroomMpiRequest* request) {
  MPI_Request begun = load(*request);
  const int error = MPI_Cancel(&begun);
  return error != MPI_SUCCESS ? error : MPI_Request_free(&begun);
}

int finish() { return MPI_Finalize(); }

void error_text(int error, char* text, int capacity) {
  char full[MPI_MAX_ERROR_STRING] = "";
  int length = 0;
  MPI_Error_string(error, full, &length);
  std::snprintf(text, static_cast<size_t>(capacity), "%s", full);
}

constexpr HeadroomMpi kModule = {kHeadroomMpiAbi, kLibrary, &start,  &rank,   &size,      &send,
                                 &receive,        &test,    &cancel, &finish, &error_text};

}  // namespace

extern "C" __attribute__((visibility("default"))) const HeadroomMpi* headroom_mpi() { return &kModule; }
