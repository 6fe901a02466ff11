// JS values that both engines of the addon read and make.
#pragma once

#include <napi.h>

#include <cstdint>
#include <span>

#include "failure.h"

namespace gaidaros {

inline std::span<const uint8_t> bytes_of(const Napi::Value& value) {
  if (!value.IsTypedArray()) return {};
  auto array = value.As<Napi::TypedArray>();
  return {static_cast<uint8_t*>(array.ArrayBuffer().Data()) + array.ByteOffset(),
          array.ByteLength()};
}

inline uint32_t number_at(const Napi::CallbackInfo& info, size_t index) {
  return info[index].As<Napi::Number>().Uint32Value();
}

}  // namespace gaidaros
