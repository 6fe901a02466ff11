// What this kernel permits, and why not.
#pragma once

#include <string>

namespace gaidaros {

// Empty when `-T completion` can be had, else the reason in words: too old a kernel, io_uring
// disabled by sysctl or seccomp, too little memory that may be locked.
std::string completion_refusal();
// The same for sends batched by a ring under epoll.
std::string batching_refusal();

}  // namespace gaidaros
