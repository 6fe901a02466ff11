// A directory as a lock: who replaces a file in it does so alone. Nothing is left behind, and the kernel lets go of it
// when its holder dies.

import { closeSync, openSync } from 'node:fs'
import { native } from '../native.js'

const PATIENCE_MS = 5_000
const LOOK_MS = 10

/**
 * Runs `task` while nobody else who asks so has the directory. Where the lock cannot be had (no addon, no such
 * directory, a holder that does not let go) it runs all the same: it has to check for itself what it finds.
 * Source: flock(2).
 */
export async function underLock<T>(folder: string, task: () => Promise<T>): Promise<T> {
  const fd = await lock(folder)
  try {
    return await task()
  } finally {
    if (fd !== undefined) closeSync(fd)
  }
}

async function lock(folder: string): Promise<number | undefined> {
  if (native === undefined) return undefined
  let fd: number
  try {
    fd = openSync(folder, 'r')
  } catch {
    return undefined
  }
  const until = performance.now() + PATIENCE_MS
  while (!native.lockFolder(fd) && performance.now() < until)
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  return fd
}
