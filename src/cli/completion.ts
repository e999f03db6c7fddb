/** completion: what a shell needs to complete our commands and options, written from the commands themselves. */
import type { Command } from 'commander'
import type { Context } from './context.ts'
import { EXIT, Failure } from './output.ts'

type Words = { readonly command: string; readonly note: string; readonly words: readonly string[] }

export async function run({ out }: Context, shell: string, program: Command): Promise<void> {
  const write = { bash, zsh, fish }[shell]
  if (write === undefined) throw new Failure(EXIT.usage, `expected bash, zsh or fish, got ${shell}`)
  const options = program.options.flatMap((option) => option.long ?? [])
  const commands = program.commands.map((command) => ({
    command: command.name(),
    note: command.description(),
    words: [
      ...command.commands.map((sub) => sub.name()),
      ...command.options.flatMap((option) => option.long ?? []),
      ...options,
    ],
  }))
  await out.data(write(commands).trimEnd())
}

function bash(commands: readonly Words[]): string {
  return `_peerage() {
  local word=\${COMP_WORDS[COMP_CWORD]} words
  case "\${COMP_WORDS[1]}" in
${commands.map(({ command, words }) => `    ${command}) words="${words.join(' ')}" ;;`).join('\n')}
  esac
  [ "$COMP_CWORD" -eq 1 ] && words="${commands.map(({ command }) => command).join(' ')}"
  COMPREPLY=($(compgen -W "$words" -- "$word"))
  [ \${#COMPREPLY[@]} -eq 0 ] && COMPREPLY=($(compgen -f -- "$word"))
}
complete -F _peerage peerage
`
}

function zsh(commands: readonly Words[]): string {
  return `#compdef peerage
if (( CURRENT == 2 )); then
  compadd -- ${commands.map(({ command }) => command).join(' ')}
else
  case "$words[2]" in
${commands.map(({ command, words }) => `    ${command}) compadd -- ${words.join(' ')} ;;`).join('\n')}
  esac
  _files
fi
`
}

function fish(commands: readonly Words[]): string {
  const lines = commands.flatMap(({ command, note, words }) => [
    `complete -c peerage -n __fish_use_subcommand -a ${command} -d '${note.replaceAll("'", '')}'`,
    ...words.map((word) => {
      const what = word.startsWith('--') ? `-l ${word.slice(2)}` : `-a ${word}`
      return `complete -c peerage -n '__fish_seen_subcommand_from ${command}' ${what}`
    }),
  ])
  return `${lines.join('\n')}\n`
}
