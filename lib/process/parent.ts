// Processes of a server end with the one that has started them, also where that one was killed and could tell them
// nothing, and where they are held up in a handler and would not hear it.

import { native } from '../native.js'

/** What a process needs to know of its parent: its argument. */
export const parentArgument = (): string => String(process.pid)

/**
 * From here on this process ends when its parent does: `at once`, or `in time`, which is when it has not left by itself
 * in 1.7 s. A change of user or group revokes that, and it is to be asked for again. Without the addon only those end
 * that hear that their channel is closed.
 */
export function leaveWithParent(when: 'at once' | 'in time'): void {
  native?.leaveWithParent(Number(process.argv[2]), when === 'at once')
}
