// --print-config: every value with its origin, as text that is itself a configuration file.

import { confLine } from './conftext.js'
import { camelCase, confKey } from './names.js'
import { type Option, sections } from './option.js'
import { quote } from './problem.js'
import type { Resolved } from './resolve.js'
import type { SettingName } from './settings.js'
import { originText } from './source.js'
import { table } from './table.js'

/**
 * The effective options as a configuration file: the origin of each above it, secrets left out.
 * What a file cannot carry (functions, the chain itself, which has been followed) is a comment.
 * @example
 * printConfig(resolve({ options: { port: 7000 } })) // '… # constructor, port\nport = 7000\n …'
 */
export function printConfig(resolved: Resolved): string {
  const head = [
    ...resolved.files.map((file) => `# read: ${quote(file)}`),
    ...resolved.notes.map((note) => `# ${quote(note).slice(1, -1)}`),
  ]
  const parts = sections.map((section) => sectionText(section, resolved))
  return `${[...(head.length > 0 ? [head.join('\n')] : []), ...parts].join('\n\n')}\n`
}

function sectionText(section: string, resolved: Resolved): string {
  const rows = (table as readonly Option[]).filter((row) => row.section === section && !row.noFile)
  return [`[${section}]`, ...rows.flatMap((row) => rowLines(row, resolved))].join('\n')
}

function rowLines(option: Option, { settings, origins }: Resolved): string[] {
  const name = camelCase(option.name) as SettingName
  const origin = `# ${quote(originText(origins[name])).slice(1, -1)}`
  return [origin, valueLine(option, settings[name])]
}

function valueLine(option: Option, value: unknown): string {
  const key = confKey(option)
  if (option.secret) return value === '' ? `${key} =` : `# ${key} = (secret)`
  if (option.name === 'config') return `# ${key} = ${quote([value].flat().join(', ')).slice(1, -1)}`
  return (
    confLine(option, value, { directory: process.cwd() }) ?? `# ${key} = (${typeof value}, no text)`
  )
}
