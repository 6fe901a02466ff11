// Functions of a library that may not be there: those that the node binary exports, else those of
// the system's library of that name.
#pragma once

#include <dlfcn.h>

#include <string>

namespace gaidaros {

class Library {
 public:
  // `name`: as the dynamic linker knows it, libz.so.1 for one. `package`: what to install for it.
  Library(const char* name, const char* package) : name_(name), package_(package) {}

  // Looks a function up. False, and why() says what is missing, where it is nowhere. The library
  // stays loaded: its functions may be in use for as long as the process lives.
  template <class Function>
  bool find(const char* symbol, Function& function) {
    void* found = dlsym(RTLD_DEFAULT, symbol);
    if (found == nullptr && handle_ == nullptr) handle_ = dlopen(name_, RTLD_NOW | RTLD_LOCAL);
    if (found == nullptr && handle_ != nullptr) found = dlsym(handle_, symbol);
    if (found == nullptr)
      why_ = std::string(handle_ == nullptr ? "there is no " : "an older one is the ") + name_ +
             " here: install the package " + package_ + " or its like";
    function = reinterpret_cast<Function>(found);
    return found != nullptr;
  }
  const std::string& why() const { return why_; }

 private:
  const char* name_;
  const char* package_;
  void* handle_ = nullptr;
  std::string why_;
};

}  // namespace gaidaros
