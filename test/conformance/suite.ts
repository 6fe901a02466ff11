// Runs the one list of cases over one variant, each case as a subtest with servers of its own.

import { availableParallelism } from 'node:os'
import t, { type Test } from 'tap'
import { unavailable } from './available.js'
import { type Case, Context } from './case.js'
import { fileOf, SUBJECTS } from './cases/index.js'
import { Unfit } from './unfit.js'
import { refuse, type Variant } from './variant.js'

const JOBS = Number(process.env['GAIDAROS_TEST_JOBS'] ?? '8')
/** Where each server starts threads or processes, and where starting them takes the time. */
const SENT_JOBS = Number(process.env['GAIDAROS_TEST_JOBS'] ?? `${availableParallelism() + 1}`)
const only = process.env['GAIDAROS_TEST_ONLY']?.split('|')

function wanted(name: string): boolean {
  return only === undefined || only.some((part) => name.includes(part))
}

async function runCase(test: Test, variant: Variant, file: string, run: Case): Promise<void> {
  const ctx = new Context(variant, file)
  try {
    await run(test, ctx)
  } catch (error) {
    if (error instanceof Error && !(error instanceof Unfit))
      error.message += `\n${await ctx.shown()}`
    // What the teardown of a failed case finds is a consequence of the failure.
    await ctx.teardown().catch(() => undefined)
    if (!(error instanceof Unfit)) throw error
    return void test.pass(error.message, { skip: error.message })
  }
  await ctx.teardown()
}

/** One case of a variant as a subtest, or skipped where it makes no sense. */
function ask(variant: Variant, { title, subject, run }: Listed, name = title): void {
  const unfit = variant.unfit?.(title)
  if (unfit !== undefined) t.pass(name, { skip: unfit })
  else void t.test(name, { buffered: true }, (test) => runCase(test, variant, fileOf(subject), run))
}

interface Listed {
  /** 'subject: name' */
  title: string
  subject: string
  run: Case
}

const listed = (): Listed[] =>
  Object.entries(SUBJECTS)
    .flatMap(([subject, cases]) =>
      Object.entries(cases).map(([name, run]) => ({ title: `${subject}: ${name}`, subject, run })),
    )
    .filter(({ title }) => wanted(title))

/**
 * Every case over `variant`. GAIDAROS_TEST_ONLY keeps those whose 'subject: name' contains it, or one of
 * several with | between them,
 * GAIDAROS_TEST_JOBS says how many run at once.
 */
export async function conformance(variant: Variant): Promise<void> {
  const reason = await unavailable(variant)
  if (reason !== undefined) return refuse(t, `${variant.name}: ${reason}`)
  t.jobs = variant.sent ? SENT_JOBS : JOBS
  for (const each of listed()) ask(variant, each)
}

/**
 * Every case over one of `variants`, by turns, that it makes sense in; of all cases the `part`-th of `parts`, so that
 * several files share the time that starting so many processes takes.
 */
export async function conformanceInTurns(
  variants: readonly Variant[],
  part: number,
  parts: number,
): Promise<void> {
  const available: Variant[] = []
  for (const variant of variants) {
    const reason = await unavailable(variant)
    if (reason === undefined) available.push(variant)
    else refuse(t, `${variant.name}: ${reason}`)
  }
  t.jobs = SENT_JOBS
  for (const [i, each] of listed().entries()) {
    if (i % parts !== part) continue
    const turns = available.map((_, k) => available[(i + k) % available.length] as Variant)
    const variant = turns.find(({ unfit }) => unfit?.(each.title) === undefined)
    if (variant !== undefined) ask(variant, each, `${each.title}, ${variant.name}`)
  }
}
