// The part of LiteRT's C interface that is used here.
//
// The Python package ships the library, libLiteRt.so, but none of its headers (litert/c/*.h of
// google-ai-edge/LiteRT). Handles are opaque pointers, and the one struct below is declared there
// as "part of the public API and ABI stable".

#pragma once

#include <cstddef>
#include <cstdint>

extern "C" {

using LiteRtStatus = int;  // 0: all is well

struct LiteRtCompiledModelT;
struct LiteRtEnvironmentT;
struct LiteRtModelT;
struct LiteRtOpaqueOptionsT;
struct LiteRtOptionsT;
struct LiteRtSignatureT;
struct LiteRtTensorBufferT;
struct LiteRtTensorT;

// litert_layout.h, litert_model_types.h
struct LiteRtRankedTensorType {
  int element_type;
  unsigned int rank : 7;
  unsigned int has_strides : 1;
  int32_t dimensions[8];
  uint32_t strides[8];
};
static_assert(sizeof(LiteRtRankedTensorType) == 72);

// litert_environment.h; the options are not used
LiteRtStatus LiteRtCreateEnvironment(int count, const void* options, LiteRtEnvironmentT**);
void LiteRtDestroyEnvironment(LiteRtEnvironmentT*);

// litert_options.h, litert_opaque_options.h
LiteRtStatus LiteRtCreateOptions(LiteRtOptionsT**);
void LiteRtDestroyOptions(LiteRtOptionsT*);
LiteRtStatus LiteRtSetOptionsHardwareAccelerators(LiteRtOptionsT*, int accelerators);
LiteRtStatus LiteRtCreateOpaqueOptions(
    const char* identifier, void* payload, void (*destroy)(void*), LiteRtOpaqueOptionsT**);
LiteRtStatus LiteRtAddOpaqueOptions(LiteRtOptionsT*, LiteRtOpaqueOptionsT*);  // takes them over

// litert_model.h; what is got from a model lives as long as it does
LiteRtStatus LiteRtCreateModelFromFile(LiteRtEnvironmentT*, const char* path, LiteRtModelT**);
void LiteRtDestroyModel(LiteRtModelT*);
LiteRtStatus LiteRtGetNumModelSignatures(LiteRtModelT*, size_t*);
LiteRtStatus LiteRtGetModelSignature(LiteRtModelT*, size_t index, LiteRtSignatureT**);
LiteRtStatus LiteRtGetSignatureKey(LiteRtSignatureT*, const char**);
LiteRtStatus LiteRtGetNumSignatureInputs(LiteRtSignatureT*, size_t*);
LiteRtStatus LiteRtGetNumSignatureOutputs(LiteRtSignatureT*, size_t*);
LiteRtStatus LiteRtGetSignatureInputName(LiteRtSignatureT*, size_t index, const char**);
LiteRtStatus LiteRtGetSignatureOutputName(LiteRtSignatureT*, size_t index, const char**);
LiteRtStatus LiteRtGetSignatureInputTensorByIndex(LiteRtSignatureT*, size_t, LiteRtTensorT**);
LiteRtStatus LiteRtGetSignatureOutputTensorByIndex(LiteRtSignatureT*, size_t, LiteRtTensorT**);
LiteRtStatus LiteRtGetRankedTensorType(LiteRtTensorT*, LiteRtRankedTensorType*);

// litert_compiled_model.h
LiteRtStatus LiteRtCreateCompiledModel(
    LiteRtEnvironmentT*, LiteRtModelT*, LiteRtOptionsT*, LiteRtCompiledModelT**);
void LiteRtDestroyCompiledModel(LiteRtCompiledModelT*);
LiteRtStatus LiteRtRunCompiledModel(
    LiteRtCompiledModelT*, size_t signature, size_t input_count, LiteRtTensorBufferT** inputs,
    size_t output_count, LiteRtTensorBufferT** outputs);

// litert_tensor_buffer.h; without `destroy` the memory stays the caller's
LiteRtStatus LiteRtCreateTensorBufferFromHostMemory(
    const LiteRtRankedTensorType*, void* memory, size_t bytes, void (*destroy)(void*),
    LiteRtTensorBufferT**);
void LiteRtDestroyTensorBuffer(LiteRtTensorBufferT*);

}  // extern "C"

namespace glint {

constexpr size_t kLiteRtAlignment = 64;  // LITERT_HOST_MEMORY_BUFFER_ALIGNMENT
constexpr int kLiteRtFloat32 = 1, kLiteRtInt32 = 2, kLiteRtInt64 = 4;  // LiteRtElementType
constexpr int kLiteRtCpu = 1;            // LiteRtHwAccelerators
constexpr const char* kLiteRtCpuOptions = "xnnpack";  // LrtGetCpuOptionsIdentifier()

}  // namespace glint
