// Loads handler_module: a path, or the name of a package, in JavaScript or TypeScript.

import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { isAbsolute, join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { misuse } from '../errors.js'
import { enableTypeScript } from './typescript.js'

/** Exports by name. */
export type ModuleExports = Readonly<Record<string, unknown>>

const SOURCE = /\.[cm]?[jt]s$/
const TYPESCRIPT = /\.[cm]?ts$/

/**
 * Loads a module.
 * @param base directory that relative paths and package names are resolved from
 * @param fresh imports the file anew though it was loaded before; what it imports in turn is not loaded again
 * @throws TypeError ERR_GAIDAROS_HANDLER when it is missing, does not compile or throws while it loads
 * @example
 * const { handleRequest } = await loadModule('./handler.ts', process.cwd())
 */
export async function loadModule(
  name: string,
  base: string,
  fresh = false,
): Promise<ModuleExports> {
  const url = locate(name, base)
  if (TYPESCRIPT.test(url)) enableTypeScript()
  try {
    return exportsOf((await import(fresh ? anew(url) : url)) as ModuleExports)
  } catch (error) {
    throw misuse('ERR_GAIDAROS_HANDLER', loadMessage(name, url, error), error)
  }
}

let loads = 0

/** Another URL of the same file: modules are kept by URL. CommonJS is kept by file name besides. */
function anew(url: string): string {
  if (!url.startsWith('file:')) return url
  delete createRequire(import.meta.url).cache[fileURLToPath(url)]
  loads++
  return `${url}?reload=${loads}`
}

/** The URL to import: of a file where the name is one, else of a package. */
function locate(name: string, base: string): string {
  if (name.startsWith('file:')) return existing(name, fileURLToPath(name))
  const path = resolve(base, name)
  if (isAbsolute(name) || /^\.\.?(?:[/\\]|$)/.test(name)) return existing(name, path)
  if (SOURCE.test(name) && existsSync(path)) return pathToFileURL(path).href
  return packageUrl(name, base)
}

function existing(name: string, path: string): string {
  if (existsSync(path)) return pathToFileURL(path).href
  throw misuse(
    'ERR_GAIDAROS_HANDLER',
    `handler_module: there is no file ${path}${name === path ? '' : ` (${name})`}; wanted a module in TypeScript or JavaScript`,
  )
}

function packageUrl(name: string, base: string): string {
  const { resolve: find } = createRequire(join(base, 'package.json'))
  try {
    return pathToFileURL(find(name)).href
  } catch (error) {
    // A package that has no entry for require() is left to import(), which looks beside this library.
    if ((error as { code?: string }).code === 'ERR_PACKAGE_PATH_NOT_EXPORTED') return name
    throw misuse(
      'ERR_GAIDAROS_HANDLER',
      `handler_module: ${name} is neither a file in ${base} nor a package installed there; wanted a path or a package name`,
      error,
    )
  }
}

/** Named exports, and behind them the properties of the default export: module.exports of CommonJS. */
function exportsOf(module: ModuleExports): ModuleExports {
  const standard = module['default']
  if (typeof standard !== 'object' || standard === null) return module
  return { ...(standard as ModuleExports), ...module }
}

function loadMessage(name: string, url: string, error: unknown): string {
  const why = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  const shown = url.startsWith('file:') ? fileURLToPath(url) : name
  return `handler_module: ${shown} cannot be loaded: ${why}`
}
