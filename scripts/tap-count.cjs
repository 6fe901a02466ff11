// Passes TAP through, repeats what failed, with its place, and closes with "N passed, N failed, N skipped".
// Exit 1 where a test failed, none ran, or a line "# npm test: exit status N" says that the run itself failed.
'use strict'

/** Lines of an assertion's diagnosis that are repeated at most. */
const DIAGNOSIS_LINES = 24

/** The subtests that are under way, outermost first: `{ name, failures }`, the failures before it began. */
const open = []
/** What failed: the place (`file > case > assertion`), and the diagnosis. */
const failures = []
/** The failure of the line before, whose diagnosis may follow. */
let fresh
/** The failure whose diagnosis is being printed (`false`: that of something else), and its indentation. */
let diagnosed
let margin = 0
let last
/** What the run itself ended with, when that was not well. */
let exit

const take = (line) => {
  const indent = /^ */.exec(line)[0].length
  const text = line.slice(indent)
  if (diagnosed !== undefined) {
    if (text === '...' && indent === margin) diagnosed = undefined
    else if (diagnosed && diagnosed.diagnosis.length < DIAGNOSIS_LINES)
      diagnosed.diagnosis.push(line.slice(margin))
    return
  }
  if (text === '---') {
    diagnosed = fresh ?? false
    margin = indent
  }
  fresh = undefined
  const depth = indent / 4
  const subtest = /^# Subtest: (.*)$/.exec(text)
  if (subtest) {
    open.length = Math.min(open.length, depth)
    open[depth] = { name: subtest[1], failures: failures.length }
    return
  }
  const result = /^(not )?ok \d+ - (.*?)(?: # (.*))?$/.exec(text)
  if (result) {
    const [, failed, name, directive = ''] = result
    const ended = open[depth]
    open.length = Math.min(open.length, depth)
    // A subtest that failed by what was in it has been told by that.
    if (!failed || /^(todo|skip)/i.test(directive) || (ended && failures.length > ended.failures))
      return
    fresh = { place: [...open.map((o) => o?.name), name].join(' > '), diagnosis: [] }
    failures.push(fresh)
    return
  }
  if (/^# npm test: exit status \d+$/.test(line)) exit = line.slice(2)
  const totals = /^# \{ (total: .*) \}$/.exec(line)
  if (totals) last = Object.fromEntries(totals[1].split(', ').map((p) => p.split(': ')))
}

require('node:readline')
  .createInterface({ input: process.stdin })
  .on('line', (line) => {
    console.log(line)
    take(line)
  })
  .on('close', () => {
    const n = (key) => Number(last?.[key] ?? 0)
    if (exit !== undefined && failures.length === 0)
      failures.push({ place: `${exit}, though no test failed`, diagnosis: [] })
    const failed = Math.max(n('fail'), exit === undefined ? 0 : 1)
    for (const { place, diagnosis } of failures)
      console.log(`\nfailed: ${place}${diagnosis.map((l) => `\n    ${l}`).join('')}`)
    console.log(
      `${failures.length ? '\n' : ''}${n('pass')} passed, ${failed} failed, ${n('skip') + n('todo')} skipped`,
    )
    if (failed > 0 || n('total') === 0) process.exitCode = 1
  })
