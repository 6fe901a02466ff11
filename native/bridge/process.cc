#include "process.h"

#include <fcntl.h>
#include <malloc.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "../net/inherited.h"
#include "../process/account.h"
#include "../process/lock.h"
#include "failure.h"
#include "listener.h"

namespace gaidaros {

namespace {

int descriptor(const Napi::Value& value) { return value.ToNumber().Int32Value(); }

void check(Napi::Env env, const char* call, int result) {
  if (result < 0) throw failure_of(env, {call, errno});
}

// openListener({ address, port, path, cid, backlog, v6only, reusePort, datagrams, messages, socket
// }): a descriptor that the caller owns
Napi::Value open_listener_for(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  SystemError error;
  Napi::Object spec = info[0].As<Napi::Object>();
  ListenOptions options = read_listen_options(spec);
  bool datagrams = spec.Get("datagrams").ToBoolean();
  int fd = datagrams ? open_datagram_socket(options, error) : open_listener(options, error);
  if (fd < 0) throw failure_of(env, error);
  Napi::Object result = Napi::Object::New(env);
  result.Set("fd", fd);
  result.Set("address", address_object(env, local_address(fd), local_path(fd)));
  return result;
}

const char* family_name(int family) {
  switch (family) {
    case AF_INET:
      return "IPv4";
    case AF_INET6:
      return "IPv6";
    case AF_UNIX:
      return "unix";
    case AF_VSOCK:
      return "vsock";
    default:
      return "other";
  }
}

// describeSocket(fd): { family, stream, datagrams, messages, listening, address }
Napi::Value describe(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  InheritedSocket socket;
  SystemError error;
  if (!describe_socket(descriptor(info[0]), socket, error)) throw failure_of(env, error);
  Napi::Object result = Napi::Object::New(env);
  result.Set("family", family_name(socket.family));
  result.Set("stream", socket.type == SOCK_STREAM);
  result.Set("datagrams", socket.type == SOCK_DGRAM);
  result.Set("messages", socket.type == SOCK_SEQPACKET);
  result.Set("listening", socket.listening);
  result.Set("address", address_object(env, socket.address, local_path(descriptor(info[0]))));
  return result;
}

Napi::Value connect_notify(const Napi::CallbackInfo& info) {
  SystemError error;
  int fd = connect_unix_datagram(info[0].ToString(), error);
  if (fd < 0) throw failure_of(info.Env(), error);
  return Napi::Number::New(info.Env(), fd);
}

// lockFile(fd): false when another has it
Napi::Value lock(const Napi::CallbackInfo& info) {
  SystemError error;
  bool locked = lock_file(descriptor(info[0]), error);
  if (!locked && error.code != EAGAIN && error.code != EACCES) throw failure_of(info.Env(), error);
  return Napi::Boolean::New(info.Env(), locked);
}

Napi::Value locked(const Napi::CallbackInfo& info) {
  SystemError error;
  bool result = false;
  if (!is_locked(descriptor(info[0]), result, error)) throw failure_of(info.Env(), error);
  return Napi::Boolean::New(info.Env(), result);
}

// lockFolder(fd): false when another has it
Napi::Value lock_folder(const Napi::CallbackInfo& info) {
  bool locked = flock(descriptor(info[0]), LOCK_EX | LOCK_NB) == 0;
  if (!locked && errno != EWOULDBLOCK && errno != EINTR) check(info.Env(), "flock", -1);
  return Napi::Boolean::New(info.Env(), locked);
}

Napi::Value account_object(Napi::Env env, const std::optional<Account>& account) {
  if (!account) return env.Undefined();
  Napi::Object object = Napi::Object::New(env);
  object.Set("name", account->name);
  object.Set("uid", static_cast<double>(account->uid));
  object.Set("gid", static_cast<double>(account->gid));
  return object;
}

// findUser(nameOrNumber)
Napi::Value user(const Napi::CallbackInfo& info) {
  auto found = info[0].IsNumber() ? find_user(info[0].ToNumber().Uint32Value())
                                  : find_user(info[0].ToString().Utf8Value());
  return account_object(info.Env(), found);
}

Napi::Value group(const Napi::CallbackInfo& info) {
  auto found = info[0].IsNumber() ? find_group(info[0].ToNumber().Uint32Value())
                                  : find_group(info[0].ToString().Utf8Value());
  return account_object(info.Env(), found);
}

void change_root(const Napi::CallbackInfo& info) {
  std::string folder = info[0].ToString();
  check(info.Env(), "chroot", ::chroot(folder.c_str()));
  // Without this the old working directory is a way out (chroot(2)).
  check(info.Env(), "chdir", ::chdir("/"));
}

// Holds for this thread and all threads and programs that it starts from now on (prctl(2)).
void no_new_privileges(const Napi::CallbackInfo& info) {
  check(info.Env(), "prctl", prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

// For who is late: longer than a process that is able to leave takes for that, and below 2 s.
constexpr suseconds_t kLateUs = 700'000;

// The parent is gone. Whatever JS is doing, or waiting for, the process ends when the time is up.
void on_parent_gone(int) {
  signal(SIGALRM, SIG_DFL);
  itimerval late{{0, 0}, {1, kLateUs}};
  setitimer(ITIMER_REAL, &late, nullptr);
}

// leaveWithParent(parent, atOnce): this process ends when its parent does, however that comes
// about: at once, or within 1.7 s if it has not left by itself. To be called by the main thread,
// again after a change of user or group, which revokes it (prctl(2)). The kernel counts the thread
// that has started this process as its parent.
void leave_with_parent(const Napi::CallbackInfo& info) {
  bool at_once = info[1].ToBoolean();
  int sent = at_once ? SIGKILL : SIGRTMIN + 8;
  if (!at_once) {
    struct sigaction action {};
    action.sa_handler = on_parent_gone;
    action.sa_flags = SA_RESTART | SA_ONSTACK;
    sigaction(sent, &action, nullptr);
  }
  check(info.Env(), "prctl", prctl(PR_SET_PDEATHSIG, sent, 0, 0, 0));
  // It may have ended before it was asked for.
  if (getppid() != descriptor(info[0])) raise(sent);
}

// redirect(from, to): what is written to `to` goes where `from` leads; programs inherit it
void redirect(const Napi::CallbackInfo& info) {
  check(info.Env(), "dup2", dup2(descriptor(info[0]), descriptor(info[1])));
}

// Programs that are started from now on inherit no descriptor but those that they are given.
void shield_descriptors(const Napi::CallbackInfo&) {
#ifdef SYS_close_range
  if (syscall(SYS_close_range, 3u, ~0u, 1u << 2 /* CLOSE_RANGE_CLOEXEC, Linux 5.11 */) == 0) return;
#endif
  long limit = sysconf(_SC_OPEN_MAX);
  for (int fd = 3; fd < limit && fd < 65536; fd++) fcntl(fd, F_SETFD, FD_CLOEXEC);
}

// reap(pid): true when that child had ended and is gone now
Napi::Value reap(const Napi::CallbackInfo& info) {
  pid_t pid = waitpid(descriptor(info[0]), nullptr, WNOHANG);
  return Napi::Boolean::New(info.Env(), pid > 0);
}

// trimHeap(): free pages inside the heap go back to the kernel
void trim_heap(const Napi::CallbackInfo&) {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

}  // namespace

void define_process(Napi::Env env, Napi::Object exports) {
  exports.Set("openListener", Napi::Function::New<open_listener_for>(env));
  exports.Set("describeSocket", Napi::Function::New<describe>(env));
  exports.Set("connectNotify", Napi::Function::New<connect_notify>(env));
  exports.Set("lockFile", Napi::Function::New<lock>(env));
  exports.Set("isLocked", Napi::Function::New<locked>(env));
  exports.Set("lockFolder", Napi::Function::New<lock_folder>(env));
  exports.Set("findUser", Napi::Function::New<user>(env));
  exports.Set("findGroup", Napi::Function::New<group>(env));
  exports.Set("changeRoot", Napi::Function::New<change_root>(env));
  exports.Set("noNewPrivileges", Napi::Function::New<no_new_privileges>(env));
  exports.Set("leaveWithParent", Napi::Function::New<leave_with_parent>(env));
  exports.Set("redirect", Napi::Function::New<redirect>(env));
  exports.Set("shieldDescriptors", Napi::Function::New<shield_descriptors>(env));
  exports.Set("trimHeap", Napi::Function::New<trim_heap>(env));
  exports.Set("reap", Napi::Function::New<reap>(env));
}

}  // namespace gaidaros
