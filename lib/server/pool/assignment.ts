// Which server process accepts from which listening sockets. No socket is ever without somebody who accepts from
// it while one process is there, and nobody is moved without need.

/**
 * Assigns the sockets of each address to processes.
 * @param groups for each address the numbers of its sockets: several that the kernel spreads connections over, or one
 * @param slots of the processes that are to accept, in any order
 * @returns the numbers of the sockets for each slot
 * @example
 * assign([[0, 1]], [0]) // Map { 0 => [0, 1] }: the only process has the other's socket too
 * assign([[0]], [0, 1]) // Map { 0 => [0], 1 => [0] }: one socket is shared
 */
export function assign(
  groups: readonly (readonly number[])[],
  slots: readonly number[],
): Map<number, number[]> {
  const order = [...slots].sort((a, b) => a - b)
  const assigned = new Map(order.map((slot): [number, number[]] => [slot, []]))
  if (order.length > 0) for (const group of groups) assignGroup(group, order, assigned)
  return assigned
}

/** Each process has the socket of its own slot; sockets that are nobody's go to those who have fewest. */
function assignGroup(
  group: readonly number[],
  order: readonly number[],
  assigned: Map<number, number[]>,
): void {
  const own = order.map((slot) => ({ slot, sockets: [group[slot % group.length] as number] }))
  const taken = new Set(own.flatMap(({ sockets }) => sockets))
  for (const socket of group) {
    if (taken.has(socket)) continue
    own.reduce((a, b) => (b.sockets.length < a.sockets.length ? b : a)).sockets.push(socket)
  }
  for (const { slot, sockets } of own) assigned.get(slot)?.push(...sockets)
}
