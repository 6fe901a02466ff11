// etc/gaidaros.conf: every option with its default, as a file to start from.

import { confValue } from './conftext.js'
import { confKey } from './names.js'
import { type Option, sections } from './option.js'
import { table } from './table.js'
import { laterNote } from './unavailable.js'
import { firstSentence } from './usage.js'

/** What the sample says where the built-in value is empty: the user's own file joins the chain. */
const own: Readonly<Record<string, string>> = { config: '~/.gaidaros.conf' }

/** The sample's text. Reading it gives the defaults, and the user's own file. */
export function sampleConf(): string {
  return `${sections.map(sectionText).join('\n\n')}\n`
}

function sectionText(section: string): string {
  const rows = (table as readonly Option[]).filter((row) => row.section === section && !row.noFile)
  return [`[${section}]`, ...rows.map(rowText)].join('\n')
}

function rowText(option: Option): string {
  const note = laterNote(option)
  const later = note === undefined ? '' : ` ${note}.`
  const value = own[option.name] ?? text(option)
  return `# ${firstSentence(option.doc)}${later}\n${`${confKey(option)} = ${confValue(value)}`.trimEnd()}`
}

const text = ({ default: standard }: Option): string =>
  typeof standard === 'boolean' ? (standard ? 'yes' : 'no') : String(standard)
