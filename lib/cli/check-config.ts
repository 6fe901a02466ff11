// --check-config: resolves everything that serving would need (files, users, handler, addresses) without
// serving. A server may be running on the same port meanwhile.

import { isIP } from 'node:net'
import { endpoint } from '../engine/endpoint.js'
import { chooseEngine, portableNotes, vsockNotes } from '../engine/index.js'
import { type HandlerSettings, resolveHandler } from '../handler/resolve.js'
import { checkLogs } from '../log/logs.js'
import type { Resolved, Settings } from '../options/index.js'
import { checkPidfile } from '../process/pidfile.js'
import { checkPrivileges } from '../process/privileges.js'
import { CONTROL, checkSocketPlace, SERVICE, socketGroup } from '../process/socketfile.js'
import { isLocal, resolveTargets } from '../server/binding.js'
import { wishes } from '../server/engineoptions.js'
import { loadTls, ticketSecret } from '../tls/load.js'

/**
 * Checks what the options name.
 * @returns lines that say what was found
 * @throws what serving would throw: TypeError ERR_GAIDAROS_HANDLER, GaidarosError ERR_GAIDAROS_ENGINE, ERR_GAIDAROS_LISTEN, ERR_GAIDAROS_LOG, ERR_GAIDAROS_PROCESS
 */
export async function checkConfig({ settings, files, notes }: Resolved): Promise<string[]> {
  checkPrivileges(settings)
  if (settings.protocol === 'zmq') portableNotes(wishes(settings))
  if (settings.pidFile !== '') checkPidfile(settings.pidFile)
  if (settings.controlSocket !== '') checkSocketPlace(settings.controlSocket, CONTROL)
  const allowCode = settings.allowCode || process.geteuid?.() !== 0
  await resolveHandler(settings as HandlerSettings, { allowCode })
  checkLogs(settings)
  const doubts = settings.protocol === 'vsock' ? doubtsOfVsock(settings) : []
  loadTls(settings, ticketSecret(), (text) => doubts.push(text))
  return [
    ...notes.map((note) => `note: ${note}`),
    ...doubts.map((doubt) => `warning: ${doubt}`),
    `files: ${files.join(', ') || 'none'}`,
    `handler: ${settings.handlerModule || 'built from the options'}`,
    `addresses: ${(await placesOf(settings)).join(', ')}`,
    'the configuration is good',
  ]
}

/** @throws GaidarosError ERR_GAIDAROS_ENGINE where it cannot be had */
function doubtsOfVsock(settings: Settings): string[] {
  const { engine, pollingType, compress } = settings
  const { name } = chooseEngine(engine, pollingType, compress)
  return name === 'portable' ? portableNotes(wishes(settings)) : vsockNotes()
}

/** Where it would listen. */
async function placesOf(settings: Settings): Promise<string[]> {
  const { port, socketPath, socketGroup: group } = settings
  if (isLocal(settings)) {
    if (!socketPath.startsWith('@')) checkSocketPlace(socketPath, SERVICE)
    if (group !== '') socketGroup(group)
    return [endpoint({ address: socketPath, family: 'unix', port: 0 })]
  }
  const targets = await resolveTargets(settings)
  return targets.map(({ address, cid }) => {
    const family = cid !== undefined ? 'vsock' : isIP(address) === 6 ? 'IPv6' : 'IPv4'
    return endpoint({ address, family, port })
  })
}
