// ctl: asks the running server over its control socket. Its words are checked before anybody is asked.

import { resolve } from 'node:path'
import { ask, ControlError } from '../../control/client.js'
import { parseRequest, type Request, RequestError } from '../../control/requests.js'
import type { Resolved, Settings } from '../../options/index.js'
import { view } from '../ctlview.js'
import { EXIT } from '../failure.js'
import { say } from '../terminal.js'
import { CommandFailure } from './running.js'

/** Where the control socket is. @throws CommandFailure 6 when no option says so */
export function controlSocketOf({ controlSocket }: Settings): string {
  if (controlSocket !== '') return resolve(controlSocket)
  throw new CommandFailure(
    EXIT.notConfigured,
    'control_socket is not set; wanted --control-socket FILE, or control_socket in [global] of a configuration file, as the server has it',
  )
}

/** What a failed question ends the command with. */
export function controlFailure(error: unknown): unknown {
  if (!(error instanceof ControlError)) return error
  return new CommandFailure(error.kind === 'denied' ? EXIT.denied : EXIT.failed, error.message)
}

/** `gaidaros ctl REQUEST` */
export async function ctl(
  { settings }: Resolved,
  _argv: readonly string[],
  words: readonly string[],
): Promise<number> {
  const request = requestOf(words)
  const path = controlSocketOf(settings)
  try {
    const answer = await ask(path, words.join(' '))
    say(...(settings.json ? [JSON.stringify(answer)] : view(request, answer)))
    return EXIT.ok
  } catch (error) {
    throw controlFailure(error)
  }
}

function requestOf(words: readonly string[]): Request {
  try {
    return parseRequest(words.flatMap((word) => word.split(/\s+/)).filter(Boolean))
  } catch (error) {
    if (error instanceof RequestError) throw new CommandFailure(EXIT.usage, `ctl: ${error.message}`)
    throw error
  }
}
