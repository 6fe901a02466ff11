// The pure decisions of a supervisor: who accepts from what, when to give up, when to have more processes.
import t from 'tap'
import { childFlags } from '../../lib/process/command.js'
import { assign } from '../../lib/server/pool/assignment.js'
import { Crashes } from '../../lib/server/pool/crashes.js'
import { CALM, decide, type Step } from '../../lib/server/pool/scaling.js'
import { INHERIT, takeInherited } from '../../lib/server/pool/successor.js'

t.test('every socket has somebody, every process has a socket, for all sizes', async (t) => {
  for (let sockets = 1; sockets <= 5; sockets++)
    for (let mask = 1; mask < 128; mask++) {
      const slots = [0, 1, 2, 3, 4, 5, 6].filter((slot) => mask & (1 << slot))
      const groups = [0, 1].map((group) =>
        Array.from({ length: sockets }, (_, k) => group * sockets + k),
      )
      const assigned = assign(groups, slots)
      const all = new Set([...assigned.values()].flat())
      if (all.size !== 2 * sockets) t.fail(`${sockets} sockets, slots ${slots}: one is nobody's`)
      for (const [slot, own] of assigned)
        if (own.length < 2 || new Set(own).size !== own.length) t.fail(`slot ${slot}: ${own}`)
    }
  t.strictSame(assign([[0, 1]], []), new Map())
})

t.test('a death elsewhere moves nobody from his own socket', async (t) => {
  const before = assign([[0, 1, 2]], [0, 1, 2])
  const after = assign([[0, 1, 2]], [0, 2])
  for (const slot of [0, 2])
    t.ok(before.get(slot)?.every((each) => after.get(slot)?.includes(each)))
})

t.test(
  'who had served comes back at once; a loop waits longer and longer, then gives up',
  async (t) => {
    const crashes = new Crashes(() => 1)
    t.equal(crashes.record({ servedMs: 10, signal: 'SIGKILL' }, 0), 0)
    t.equal(crashes.record({ servedMs: 5_000, signal: null }, 0), 0)
    const delays = [0, 1, 2, 3, 4, 5].map((at) =>
      crashes.record({ servedMs: undefined, signal: null }, at * 1000),
    )
    t.strictSame(delays, [100, 200, 400, 800, 1600, undefined])
    t.equal(crashes.record({ servedMs: 1, signal: null }, 70_000), 100, 'a minute later')
  },
)

t.test('proc grows when the busiest stays busy and shrinks after half a minute', async (t) => {
  const steps = (shares: number[], seconds: number, most: number) => {
    let trend = CALM
    const taken: Step[] = []
    for (let i = 0; i < seconds; i++) {
      const decision = decide(shares, trend, most)
      trend = decision.trend
      taken.push(decision.step)
    }
    return taken
  }
  t.strictSame(steps([0.9], 2, 4), ['stay', 'grow'])
  t.notOk(steps([0.9], 9, 1).includes('grow'), 'not above the most')
  t.equal(steps([0.1, 0.2], 30, 4).indexOf('shrink'), 29)
  t.notOk(steps([0.1], 60, 4).includes('shrink'), 'one stays')
  t.notOk(steps([0.79, 0.2], 60, 4).includes('shrink'), 'the other would be too busy')
})

t.test('flags of node that belong to one process are not handed on', async (t) => {
  t.strictSame(childFlags(['--inspect=9229', '-e', 'serve()', '--enable-source-maps', '--test']), [
    '--enable-source-maps',
  ])
})

t.test('inherited sockets are checked, and the variable is taken away', async (t) => {
  const socket = { fd: 3, address: '::1', family: 'IPv6', port: 80, group: 0, backlog: 511 }
  const environment: NodeJS.ProcessEnv = { [INHERIT]: JSON.stringify([socket]) }
  t.strictSame(takeInherited(environment), [socket])
  t.strictSame(environment, {})
  t.equal(takeInherited({}), undefined)
  for (const bad of ['{', '{}', '[{"fd":-1}]', '[null]'])
    t.throws(() => takeInherited({ [INHERIT]: bad }), { message: /GAIDAROS_INHERIT/ })
})
