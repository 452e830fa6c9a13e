// A Markdown page → its fenced blocks, tables, headings and links, to hold it against the code.
import { readFileSync } from 'node:fs'

export interface Page {
  readonly text: string
  /** The fenced blocks of a language, in order. */
  blocks (language: string): string[]
  /** The rows of the table under a heading of the second level that begins with a column of that name; cells without their backquotes. */
  rows (heading: string, column: string): string[][]
  /** What a link into the page may name. */
  readonly anchors: string[]
  /** The targets of its links. */
  readonly links: string[]
}

export function readPage (path: string): Page {
  const text = readFileSync(path, 'utf8')
  return {
    text,
    blocks: language => [...text.matchAll(new RegExp(`^\`\`\`${language}\n([^]*?)^\`\`\`$`, 'gm'))].map(match => match[1]!),
    rows (heading, column) {
      const section = text.split(/^## /m).find(section => section.startsWith(`${heading}\n`)) ?? ''
      const lines = section.split('\n')
      const start = lines.findIndex(line => line.startsWith(`| ${column} |`)) + 2
      const end = lines.findIndex((line, index) => index >= start && !line.startsWith('|'))
      return lines.slice(start, end).map(line => line.slice(1, -1).split('|').map(cell => cell.trim().replace(/^`(.*)`$/, '$1')))
    },
    anchors: [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading]) => heading!.toLowerCase().replaceAll(/[^\w -]/g, '').replaceAll(' ', '-')),
    links: [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target!)
  }
}

/** A default as a table writes it (`10_000`, `'2h'`, `true`) → its value. */
export function valueOf (cell: string): unknown {
  return JSON.parse(cell.replaceAll("'", '"').replaceAll(/(?<=\d)_(?=\d)/g, ''))
}
