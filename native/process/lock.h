// Locks on an open file description (fcntl(2), F_OFD_SETLK; Linux 3.15): they last until its last
// descriptor is closed, so a process that is killed leaves none. Called by the bridge, on the main
// thread.
#pragma once

#include "../net/socket.h"

namespace gaidaros {

// Locks the whole file for writing, at once or not at all: EAGAIN when another description has it.
bool lock_file(int fd, SystemError& error);

// Whether another description has it locked, without locking it: needs no right to write.
bool is_locked(int fd, bool& locked, SystemError& error);

}  // namespace gaidaros
