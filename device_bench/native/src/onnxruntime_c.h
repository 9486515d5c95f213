// The part of ONNX Runtime's C interface that is used here.
//
// The Python package ships the library, but not its header (onnxruntime_c_api.h; Debian 12 has no
// package of it). That interface is a table of function pointers, `OrtApi`, to which versions only
// ever add at the end: "Size of version 1 API cannot change" is asserted where the library fills
// it, with ReleaseCustomOpDomain in place 101. All that is taken here is of version 1.

#pragma once

#include <cstddef>
#include <cstdint>

extern "C" {

struct OrtApiBase {
  const void* const*(*GetApi)(uint32_t version);
  const char* (*GetVersionString)();
};

const OrtApiBase* OrtGetApiBase() noexcept;

struct OrtAllocator;
struct OrtEnv;
struct OrtMemoryInfo;
struct OrtRunOptions;
struct OrtSession;
struct OrtSessionOptions;
struct OrtStatus;
struct OrtTensorTypeAndShapeInfo;
struct OrtTypeInfo;
struct OrtValue;

}  // extern "C"

namespace glint {

constexpr uint32_t kOrtApiVersion = 1;
constexpr int kOrtFloat = 1, kOrtInt64 = 7;  // ONNXTensorElementDataType
constexpr int kOrtDeviceAllocator = 0;       // OrtAllocatorType
constexpr int kOrtMemTypeDefault = 0;        // OrtMemType
constexpr int kOrtFatal = 4;                 // OrtLoggingLevel

// A function in its place in the table.
template <size_t Place, typename Function>
struct OrtEntry;

template <size_t Place, typename Returned, typename... Arguments>
struct OrtEntry<Place, Returned(Arguments...)> {
  Returned operator()(Arguments... arguments) const {
    return reinterpret_cast<Returned (*)(Arguments...)>(const_cast<void*>(table[Place]))(
        arguments...);
  }
  const void* const* table;
};

struct Ort {
  using Status = OrtStatus*;  // nullptr if all is well
  const void* const* table;

  OrtEntry<2, const char*(const OrtStatus*)> GetErrorMessage{table};
  OrtEntry<3, Status(int level, const char* name, OrtEnv**)> CreateEnv{table};
  OrtEntry<7, Status(const OrtEnv*, const char* path, const OrtSessionOptions*, OrtSession**)>
      CreateSession{table};
  OrtEntry<9, Status(
      OrtSession*, const OrtRunOptions*,
      const char* const* input_names, const OrtValue* const* inputs, size_t input_count,
      const char* const* output_names, size_t output_count, OrtValue** outputs)>
      Run{table};
  OrtEntry<10, Status(OrtSessionOptions**)> CreateSessionOptions{table};
  OrtEntry<22, Status(OrtSessionOptions*, int level)> SetSessionLogSeverityLevel{table};
  OrtEntry<24, Status(OrtSessionOptions*, int threads)> SetIntraOpNumThreads{table};
  OrtEntry<25, Status(OrtSessionOptions*, int threads)> SetInterOpNumThreads{table};
  OrtEntry<30, Status(const OrtSession*, size_t*)> SessionGetInputCount{table};
  OrtEntry<31, Status(const OrtSession*, size_t*)> SessionGetOutputCount{table};
  OrtEntry<33, Status(const OrtSession*, size_t index, OrtTypeInfo**)>
      SessionGetInputTypeInfo{table};
  OrtEntry<34, Status(const OrtSession*, size_t index, OrtTypeInfo**)>
      SessionGetOutputTypeInfo{table};
  OrtEntry<36, Status(const OrtSession*, size_t index, OrtAllocator*, char**)>
      SessionGetInputName{table};
  OrtEntry<37, Status(const OrtSession*, size_t index, OrtAllocator*, char**)>
      SessionGetOutputName{table};
  OrtEntry<49, Status(
      const OrtMemoryInfo*, void* data, size_t bytes, const int64_t* shape, size_t rank, int type,
      OrtValue**)>
      CreateTensorWithDataAsOrtValue{table};
  OrtEntry<55, Status(const OrtTypeInfo*, const OrtTensorTypeAndShapeInfo**)>
      CastTypeInfoToTensorInfo{table};
  OrtEntry<61, Status(const OrtTensorTypeAndShapeInfo*, size_t*)> GetDimensionsCount{table};
  OrtEntry<62, Status(const OrtTensorTypeAndShapeInfo*, int64_t*, size_t)> GetDimensions{table};
  OrtEntry<69, Status(int allocator, int memory, OrtMemoryInfo**)> CreateCpuMemoryInfo{table};
  OrtEntry<76, Status(OrtAllocator*, void*)> AllocatorFree{table};
  OrtEntry<78, Status(OrtAllocator**)> GetAllocatorWithDefaultOptions{table};
  OrtEntry<92, void(OrtEnv*)> ReleaseEnv{table};
  OrtEntry<93, void(OrtStatus*)> ReleaseStatus{table};
  OrtEntry<94, void(OrtMemoryInfo*)> ReleaseMemoryInfo{table};
  OrtEntry<95, void(OrtSession*)> ReleaseSession{table};
  OrtEntry<96, void(OrtValue*)> ReleaseValue{table};
  OrtEntry<98, void(OrtTypeInfo*)> ReleaseTypeInfo{table};
  OrtEntry<100, void(OrtSessionOptions*)> ReleaseSessionOptions{table};
};

}  // namespace glint
