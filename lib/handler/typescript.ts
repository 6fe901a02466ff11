// Makes import() take .ts, .mts and .cts files: swc turns them into JavaScript with source maps. swc is loaded
// only when a handler is such a file; works in worker threads and child processes alike, which are given what the
// server has transformed already and load no transformer then.

import module from 'node:module'
import { MessageChannel, type MessagePort, receiveMessageOnPort } from 'node:worker_threads'
import { initialize, loadSync, resolveSync, type TransformedFile } from './tshooks.js'

export type { TransformedFile } from './tshooks.js'

/** Node 22.15 has hooks that run in the importing thread; before that they run in one of their own. */
interface SyncHooks {
  registerHooks?: (hooks: { resolve: typeof resolveSync; load: typeof loadSync }) => unknown
}

let enabled = false
/** Where the hooks' own thread says what it has transformed. */
let told: MessagePort | undefined
const files = new Map<string, TransformedFile>()
const note = (file: TransformedFile): void => void files.set(file.path, file)

/**
 * Installs the hooks, once in a thread.
 * @param known files that need not be transformed again unless they have changed
 */
export function enableTypeScript(known: readonly TransformedFile[] = []): void {
  if (enabled) return
  enabled = true
  known.forEach(note)
  // So that a stack trace shows the line of the .ts file.
  process.setSourceMapsEnabled(true)
  const { registerHooks } = module as SyncHooks
  if (registerHooks) {
    initialize({ known, tell: note })
    registerHooks({ resolve: resolveSync, load: loadSync })
    return
  }
  const { port1, port2 } = new MessageChannel()
  told = port1.unref() as unknown as MessagePort
  const data = { known, port: port2 }
  module.register(new URL('./tshooks.js', import.meta.url), { data, transferList: [port2] })
}

/** What import() has transformed in this thread so far. */
export function transformedFiles(): TransformedFile[] {
  if (told !== undefined)
    for (let next = receiveMessageOnPort(told); next; next = receiveMessageOnPort(told))
      note(next.message as TransformedFile)
  return [...files.values()]
}
