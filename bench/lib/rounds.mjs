// Interleaved rounds: in each one every server has a turn, in random order, the reference first and last.
// What is compared is the ratio of two servers within one round, so that slow drift cancels out.

import { PEERS } from './peers.mjs'
import { median } from './statistics.mjs'
import { disturbance, takeTurn } from './turn.mjs'

/** A disturbed turn is tried again at once this often, before its whole round is given up. */
const TURN_TRIES = 3
/** Rounds given up before disturbed ones are kept, as a multiple of the rounds wanted. */
const REPEATS = 2

function shuffled(names) {
  const out = [...names]
  for (let i = out.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1))
    ;[out[i], out[j]] = [out[j], out[i]]
  }
  return out
}

/** Turns against a set of running servers, the first of which is the reference; counts what had to be repeated and why. */
export class Rounds {
  #servers
  #reference
  #load
  #nearestNs = Number.POSITIVE_INFINITY

  /** What the reader is told about the environment. */
  repeats = { turns: 0, rounds: 0, keptDisturbed: 0, reasons: {} }

  constructor(servers, load) {
    this.#servers = new Map(servers.map((server) => [server.name, server]))
    this.#reference = servers[0].name
    this.#load = load
  }

  /**
   * Runs `count` rounds.
   * @param {number} count
   * @param {(round: object, index: number) => void} done called after each
   * @returns {Promise<object[]>} one for each round: peer name → its turns
   */
  async run(count, done) {
    // Warms the servers up (their JIT above all); its figures are dropped.
    await this.#round(false)
    this.repeats.keptDisturbed = 0
    const rounds = []
    while (rounds.length < count) {
      const mayRepeat = this.repeats.rounds < count * REPEATS
      const round = await this.#round(mayRepeat)
      if (round === undefined) this.repeats.rounds++
      else done(rounds[rounds.push(round) - 1], rounds.length)
    }
    return rounds
  }

  /** A round; undefined when it is to be repeated. */
  async #round(mayRepeat) {
    const others = [...this.#servers.keys()].filter((name) => name !== this.#reference)
    const turns = {}
    let disturbed = false
    for (const name of [this.#reference, ...shuffled(others), this.#reference]) {
      const { turn, reason } = await this.#turn(this.#servers.get(name), mayRepeat)
      if (reason && mayRepeat) return undefined
      disturbed ||= reason !== ''
      turns[name] = [...(turns[name] ?? []), turn]
    }
    if (disturbed) this.repeats.keptDisturbed++
    return turns
  }

  async #turn(server, mayRepeat) {
    for (let tries = 1; ; tries++) {
      const turn = await takeTurn(server, this.#load)
      this.#nearestNs = Math.min(this.#nearestNs, ...turn.environment.cache_line_ns)
      const reason = disturbance(turn, this.#nearestNs, { ...this.#load, ...PEERS[server.name] })
      if (!reason || !mayRepeat || tries === TURN_TRIES) return { turn, reason }
      this.repeats.turns++
      const kind = reason.replace(/[\d.]+ (%|ns)/, '…')
      this.repeats.reasons[kind] = (this.repeats.reasons[kind] ?? 0) + 1
    }
  }
}

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length

/** A peer's requests a second in one round; the reference's is the mean of its two turns. */
export const rate = (round, name) => mean(round[name].map((turn) => turn.requests_per_s))

/** The paired ratios of two peers, one a round. */
export const ratios = (rounds, name, against) => rounds.map((round) => rate(round, name) / rate(round, against))

/** The median of a figure over all turns of a peer; `pick` takes it from a turn. */
export const figure = (rounds, name, pick) => median(rounds.flatMap((round) => round[name].map(pick)))
