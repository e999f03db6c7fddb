/** Records and times as a person reads them in a terminal. */
import type { RecordJson } from '../answers.ts'
import { type Output, oneLine } from './output.ts'

/** One record in one line: what to copy, what to call it, what it is. */
export function recordLine(out: Output, record: RecordJson, note = ''): string {
  const head = `${record.id}  `
  const name = `${record.kind}/${oneLine(record.slug ?? record.name ?? '', 80)}`
  const about = [note, typeof record['description'] === 'string' ? record['description'] : '']
    .filter(Boolean)
    .join('  ')
  const columns = out.width === undefined ? 120 : Math.max(0, out.width - head.length - name.length - 2)
  return `${out.dim(head)}${out.bold(name)}${about === '' ? '' : `  ${oneLine(about, columns)}`}`
}

/** A record, or several: ids with -q, one JSON object a line with --json, else a line each. */
export function showRecord(out: Output, record: RecordJson, note = ''): Promise<void> {
  if (out.quiet) return out.data(record.id)
  if (out.json) return out.value(record)
  return out.data(recordLine(out, record, note))
}

/** ms since 1970 as UTC to the second. What a signer's clock said need not be a time at all. */
export function timeOf(ms: unknown): string {
  const date = new Date(typeof ms === 'number' ? ms : Number.NaN)
  return Number.isNaN(date.getTime()) ? '(no time)' : `${date.toISOString().slice(0, 19)}Z`
}

/** A value in one line: text as it is, the rest as JSON. */
export function valueText(value: unknown, columns = 100): string {
  if (value === undefined) return '(absent)'
  return oneLine(typeof value === 'string' ? value : JSON.stringify(value), columns)
}

export function damagedText(n: number): string {
  return `${count(n, 'record')} left out: damaged on the disk of the node, until peers have sent them again`
}

/** `1 record`, `2 records`. */
export function count(n: number, what: string): string {
  return `${n.toLocaleString('en-US')} ${what}${n === 1 ? '' : 's'}`
}
