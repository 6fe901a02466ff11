// Memory of a process that is ours alone. A program that uses Gaidaros as a library keeps its own settings.

import { native } from '../native.js'

/**
 * Large blocks (slabs, long replies) go back to the kernel as soon as they are freed, instead of making holes in
 * the heap: under mixed load a server holds a third of the memory. Where the environment sets the allocator
 * (MALLOC_MMAP_THRESHOLD_, GLIBC_TUNABLES) it is left alone. Source: mallopt(3).
 */
export function settleAllocator(): void {
  native?.settleAllocator()
}
