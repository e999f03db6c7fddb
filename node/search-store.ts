/**
 * The index on disk: one SQLite file that can be deleted at any time.
 *
 *   meta (name, value)                     format, tables: what the rows were made by; epoch, seq: what they were made from
 *   entry (doc, id, facts)                 a record's number here, its id, and what the columns in memory are built from
 *   shown (doc, texts)                     its names and texts by field, for highlights
 *   word (rowid = doc; names, tags, texts) FTS5, contentless: which records have a word, and where
 *
 * `seq` moves in the transaction that writes the rows it speaks of. Written with synchronous = NORMAL: a kill or a
 * power cut may lose the last transactions, never half of one. Everything here throws what SQLite throws: the owner
 * then deletes the file.
 */
import { rmSync } from 'node:fs'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import type { Leaf } from './search-fields.ts'

/** Raised when rows written before would be read wrongly. */
const FORMAT = '1'

export type Place = 'names' | 'tags' | 'texts'

/** What the columns in memory are built from, as stored. */
export type Facts = {
  readonly leaves: readonly (readonly [string, readonly Leaf[]])[]
  /** Words in names, tags, texts. */
  readonly words: readonly [number, number, number]
  /** Hints of the names, and of owner with name. */
  readonly names: readonly number[]
  readonly whole: readonly number[]
}

export type StoredEntry = {
  readonly id: string
  readonly facts: Facts
  readonly words: Readonly<Record<Place, ReadonlySet<string>>>
  readonly shown: readonly (readonly [string, string])[]
}

export class IndexFile {
  readonly #db: DatabaseSync
  readonly #statements = new Map<string, StatementSync>()

  /** Opens the file or makes it. `made` names what the rows depend on; a file made by anything else is begun anew. */
  constructor(path: string, made: string) {
    this.#db = openDatabase(path, made)
  }

  get seq(): number {
    return Number(this.#meta('seq') ?? 0)
  }

  get epoch(): string {
    return this.#meta('epoch') ?? ''
  }

  begin(): void {
    this.#db.exec('BEGIN IMMEDIATE')
  }

  commit(seq?: number): void {
    if (seq !== undefined) this.#setMeta('seq', String(seq))
    this.#db.exec('COMMIT')
  }

  /** Drops all rows; the next ones are made from this epoch's log. */
  reset(epoch: string): void {
    this.begin()
    this.#db.exec("DELETE FROM entry; DELETE FROM shown; INSERT INTO word(word) VALUES('delete-all')")
    this.#setMeta('epoch', epoch)
    this.commit(0)
  }

  docOf(id: string): number | undefined {
    return (this.#statement('SELECT doc FROM entry WHERE id = ?').get(id) as { doc: number } | undefined)?.doc
  }

  put(doc: number, { id, facts, words, shown }: StoredEntry, replaces: boolean): void {
    const texts = JSON.stringify(shown)
    if (replaces) {
      this.#statement('UPDATE entry SET facts = ? WHERE doc = ?').run(JSON.stringify(facts), doc)
      this.#statement('UPDATE shown SET texts = ? WHERE doc = ?').run(texts, doc)
      this.#statement('DELETE FROM word WHERE rowid = ?').run(doc)
    } else {
      this.#statement('INSERT INTO entry(doc, id, facts) VALUES(?, ?, ?)').run(doc, id, JSON.stringify(facts))
      this.#statement('INSERT INTO shown(doc, texts) VALUES(?, ?)').run(doc, texts)
    }
    this.#statement('INSERT INTO word(rowid, names, tags, texts) VALUES(?, ?, ?, ?)').run(
      doc,
      [...words.names].join(' '),
      [...words.tags].join(' '),
      [...words.texts].join(' '),
    )
  }

  remove(doc: number): void {
    for (const from of ['entry WHERE doc', 'shown WHERE doc', 'word WHERE rowid']) {
      this.#statement(`DELETE FROM ${from} = ?`).run(doc)
    }
  }

  /** All entries after `after`, by number. */
  entries(after: number, limit: number): { doc: number; id: string; facts: Facts }[] {
    const rows = this.#statement('SELECT doc, id, facts FROM entry WHERE doc > ? ORDER BY doc LIMIT ?').all(
      after,
      limit,
    )
    return (rows as { doc: number; id: string; facts: string }[]).map((row) => ({
      ...row,
      facts: JSON.parse(row.facts),
    }))
  }

  shown(doc: number): readonly (readonly [string, string])[] {
    const row = this.#statement('SELECT texts FROM shown WHERE doc = ?').get(doc) as { texts: string } | undefined
    return row ? JSON.parse(row.texts) : []
  }

  /** Documents that in this place have all words of one of `anyOf`, the last word as a beginning when `prefix`; ascending. */
  postings(place: Place, anyOf: readonly (readonly string[])[], prefix: boolean, limit: number): Uint32Array {
    const all = (words: readonly string[]) => words.map((word) => `"${word}"`).join(' AND ')
    const match = `${place} : (${anyOf.map((words) => `(${all(words)}${prefix ? '*' : ''})`).join(' OR ')})`
    // One row of text: an object for each document would cost ten times as much.
    const row = this.#statement(
      'SELECT group_concat(rowid) AS docs FROM (SELECT rowid FROM word WHERE word MATCH ? ORDER BY rowid LIMIT ?)',
    ).get(match, limit) as { docs: string | null }
    return row.docs === null ? new Uint32Array() : numbersOf(String(row.docs))
  }

  /** Words that names or tags have. */
  vocabulary(): string[] {
    const rows = this.#statement("SELECT DISTINCT term FROM vocabulary WHERE col IN ('names', 'tags')").all()
    return (rows as { term: string }[]).map(({ term }) => term)
  }

  /** Undefined = sound, as far as a look at every page tells. */
  damage(): string | undefined {
    const row = this.#db.prepare('PRAGMA quick_check(1)').get() as Record<string, string> | undefined
    const found = Object.values(row ?? {})[0]
    return found === 'ok' ? undefined : (found ?? 'no answer')
  }

  close(): void {
    this.#db.close()
  }

  #meta(name: string): string | undefined {
    return (this.#statement('SELECT value FROM meta WHERE name = ?').get(name) as { value: string } | undefined)?.value
  }

  #setMeta(name: string, value: string): void {
    this.#statement('INSERT OR REPLACE INTO meta(name, value) VALUES(?, ?)').run(name, value)
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql)
    if (!statement) {
      statement = this.#db.prepare(sql)
      this.#statements.set(sql, statement)
    }
    return statement
  }
}

/** Deletes the index, the files that SQLite keeps beside it included. */
export function deleteIndex(path: string): void {
  for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(path + suffix, { force: true })
}

function openDatabase(path: string, made: string): DatabaseSync {
  const db = new DatabaseSync(path)
  try {
    db.exec(
      'PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -16384; PRAGMA temp_store = MEMORY',
    )
    db.exec('CREATE TABLE IF NOT EXISTS meta(name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID')
    const rows = db.prepare("SELECT name, value FROM meta WHERE name IN ('format', 'made')").all() as {
      name: string
      value: string
    }[]
    const known = new Map(rows.map(({ name, value }) => [name, value]))
    if (known.get('format') !== FORMAT || known.get('made') !== made) {
      db.exec('BEGIN IMMEDIATE')
      db.exec('DROP TABLE IF EXISTS vocabulary; DROP TABLE IF EXISTS word; DROP TABLE IF EXISTS entry')
      db.exec('DROP TABLE IF EXISTS shown; DELETE FROM meta')
      db.exec(SCHEMA)
      const put = db.prepare('INSERT INTO meta(name, value) VALUES(?, ?)')
      put.run('format', FORMAT)
      put.run('made', made)
      db.exec('COMMIT')
    }
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

/**
 * Words come as search-text.ts made them, so that the tokenizer has only to split at spaces. No column is NOT NULL:
 * together with UNIQUE it would give each insert a savepoint, and FTS5 writes out its memory at each of those.
 */
const SCHEMA = `
  CREATE TABLE entry(doc INTEGER PRIMARY KEY, id TEXT UNIQUE, facts TEXT);
  CREATE TABLE shown(doc INTEGER PRIMARY KEY, texts TEXT);
  CREATE VIRTUAL TABLE word USING fts5(
    names, tags, texts, content='', contentless_delete=1, detail=column, prefix='2 3', tokenize='ascii'
  );
  CREATE VIRTUAL TABLE vocabulary USING fts5vocab(word, col);
`

function numbersOf(text: string): Uint32Array {
  let count = 1
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) === 44) count++
  const numbers = new Uint32Array(count)
  let at = 0
  let number = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === 44) {
      numbers[at++] = number
      number = 0
    } else {
      number = number * 10 + code - 48
    }
  }
  numbers[at] = number
  return numbers
}
