// Makes import() take .ts, .mts and .cts files: swc turns them into JavaScript with source maps. Loaded,
// with swc, only when a handler is such a file; works in worker threads and child processes alike.

import module from 'node:module'
import { loadSync, resolveSync } from './tshooks.js'

/** Node 22.15 has hooks that run in the importing thread; before that they run in one of their own. */
interface SyncHooks {
  registerHooks?: (hooks: { resolve: typeof resolveSync; load: typeof loadSync }) => unknown
}

let enabled = false

/** Installs the hooks, once in a thread. */
export function enableTypeScript(): void {
  if (enabled) return
  enabled = true
  // So that a stack trace shows the line of the .ts file.
  process.setSourceMapsEnabled(true)
  const { registerHooks } = module as SyncHooks
  if (registerHooks) registerHooks({ resolve: resolveSync, load: loadSync })
  else module.register(new URL('./tshooks.js', import.meta.url))
}
