// What lib/process/ needs of the system and Node does not offer: locks, accounts, chroot,
// no_new_privs, descriptors, children that are not Node's. Main thread.
#pragma once

#include <napi.h>

namespace gaidaros {

void define_process(Napi::Env env, Napi::Object exports);

}  // namespace gaidaros
