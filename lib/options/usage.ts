// --help and docs/options.md, from the table.

import { flagsOf } from './flags.js'
import { confKey } from './names.js'
import { type Option, sections } from './option.js'
import { widerText } from './quantity.js'
import { table } from './table.js'
import { isAvailable, laterNote } from './unavailable.js'

const WIDTH = 80
const COLUMN = 30
const NO_BREAK = '\u00a0'

const rows: readonly Option[] = table

/**
 * The text of --help: options by section with letters, first sentence and default, at most 80 columns.
 * Options of later versions are left to docs/options.md.
 * @param commands what is said of the subcommands
 */
export function usage(commands?: string): string {
  const shown = rows.filter(isAvailable)
  const parts = sections.flatMap((section) => {
    const options = shown.filter((option) => option.section === section)
    return options.length === 0 ? [] : [[`[${section}]`, ...options.map(usageLine)].join('\n')]
  })
  const head = `Usage: gaidaros ${commands === undefined ? '' : '[COMMAND] '}[OPTION]...`
  return [head, ...(commands === undefined ? [] : [commands]), ...parts, foot].join('\n\n')
}

const foot = [
  'TIME is 250ms, 30s or 5m; SIZE is 512, 64k or 1m. --no-x clears a boolean option.',
  'Each option is an environment variable (GAIDAROS_IDLE_TIMEOUT) and a key of its',
  '[section] in a configuration file too. docs/options.md says everything.',
].join('\n')

function usageLine(option: Option): string {
  const flags = `  ${flagText(option)}`
  const lines = wrap(`${firstSentence(option.doc)}${defaultNote(option)}`, WIDTH - COLUMN)
  const indented = lines.map((line) => ' '.repeat(COLUMN) + line)
  if (flags.length > COLUMN - 2) return [flags, ...indented].join('\n')
  return [flags.padEnd(COLUMN) + (lines[0] ?? ''), ...indented.slice(1)].join('\n')
}

/** `-p, --port PORT`; a boolean that is on by default shows how to clear it. */
function flagText(option: Option): string {
  const flags = flagsOf(option).map((flag) =>
    option.kind.type === 'bool' && option.default === true ? flag.replace(/^--/, '--[no-]') : flag,
  )
  return [flags.join(', '), ...(option.kind.type === 'bool' ? [] : [hintOf(option)])].join(' ')
}

/** What stands for the value: the choices, where there are some. */
const hintOf = ({ kind, hint }: Option): string | undefined =>
  kind.type === 'enum' ? kind.values.map((value) => (value === '' ? '""' : value)).join('|') : hint

function defaultNote(option: Option): string {
  const standard = String(option.default)
  if (option.kind.type === 'bool' || ['', '[]', '{}'].includes(standard)) return ''
  const zero = option.zero !== undefined && standard === '0' ? `0: ${option.zero}` : standard
  return ` [${zero.replaceAll(' ', NO_BREAK)}]`
}

/** Up to the first full stop that ends a sentence. */
export const firstSentence = (doc: string): string => doc.replace(/^(.*?[.])(\s.*)?$/s, '$1')

function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line].map((done) => done.replaceAll(NO_BREAK, ' '))
}

/** Every option as Markdown: one table for each section. */
export function usageMarkdown(): string {
  return sections.map(sectionMarkdown).join('\n\n')
}

function sectionMarkdown(section: string): string {
  const options = rows.filter((option) => option.section === section)
  return [
    `### [${section}]`,
    '',
    '| Command line | Key | Value | Default | Meaning |',
    '|---|---|---|---|---|',
    ...options.map(rowMarkdown),
  ].join('\n')
}

function rowMarkdown(option: Option): string {
  const code = (text: string) => (text === '' ? '' : `\`${text}\``)
  const cells = [
    flagsOf(option).map(code).join(' '),
    option.noFile ? '' : code(confKey(option)),
    valueText(option),
    option.default === '' ? 'empty' : code(defaultText(option)),
    [option.doc, ...remarks(option)].join(' '),
  ]
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
}

const defaultText = ({ default: standard }: Option): string =>
  typeof standard === 'boolean' ? (standard ? 'yes' : 'no') : String(standard)

function valueText({ kind, hint }: Option): string {
  if (kind.type === 'bool') return 'yes, no'
  if (kind.type === 'enum')
    return kind.values.map((value) => (value === '' ? 'empty' : `\`${value}\``)).join(', ')
  if (kind.type === 'duration') return `TIME, a bare number in ${kind.unit}`
  if (kind.type === 'int') return `${kind.min} to ${kind.max}${widerText(kind)}`
  return hint ?? ''
}

function remarks(option: Option): string[] {
  const note = laterNote(option)
  return [
    ...(option.zero === undefined ? [] : [`0: ${option.zero}.`]),
    ...(option.perNode ? ['A list gives one for each cluster node.'] : []),
    ...(option.reloadable ? ['Changes on reload.'] : []),
    ...userFileRemark(option),
    ...(note === undefined ? [] : [`**${note}.**`]),
  ]
}

function userFileRemark({ userFile, noFile }: Option): string[] {
  if (noFile) return []
  switch (userFile ?? true) {
    case true:
      return []
    case false:
      return ['Not in user-level files.']
    case 'lower':
      return ["In user-level files up to the system's."]
    case 'loopback':
      return ["In user-level files loopback, or what the system's file covers."]
    case 'no vsock':
      return ['In user-level files all but `vsock`.']
    default:
      return ['In user-level files 0 or from 1024.']
  }
}
