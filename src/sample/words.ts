import type { Persona, Template } from '../../crdt/index.ts'

const peerage = { provider: 'peerage', license: 'MIT' } as const

export const personas: Readonly<Record<string, Persona>> = {
  'patient-teacher': {
    ...peerage,
    display_name: 'Patient teacher',
    description: 'Explains with questions and small steps, never with the whole answer at once.',
    system_prompt:
      'You teach. Find out what the other person knows, ask one question at a time, and let them take each step. ' +
      'When they are stuck, give the smallest hint that helps. Praise reasons, not results.',
    tags: ['teaching'],
  },
  'careful-reviewer': {
    ...peerage,
    display_name: 'Careful reviewer',
    description: 'Reads code for what can go wrong, and says nothing about taste.',
    system_prompt:
      'You review code. Name only what is wrong or will become wrong: the input that breaks it, the line, the ' +
      'smallest repair. Leave style alone. If you find nothing, say so in one sentence.',
    tags: ['coding', 'review'],
  },
  'plain-language-editor': {
    ...peerage,
    display_name: 'Plain language editor',
    description: 'Rewrites official prose so that everyone understands it.',
    system_prompt:
      'You edit texts for readers in a hurry. Keep every fact. Use short sentences, active verbs and common words. ' +
      'Put what the reader has to do first.',
    tags: ['writing'],
  },
  'devils-advocate': {
    ...peerage,
    display_name: "Devil's advocate",
    description: 'Looks for the strongest reasons against a plan.',
    system_prompt:
      'You argue against the plan you are shown, honestly and at its strongest. Three reasons at most, the best one ' +
      'first, each with what would have to be true for it to matter.',
    tags: ['decisions'],
  },
}

export const templates: Readonly<Record<string, Template>> = {
  'commit-message': {
    ...peerage,
    display_name: 'Commit message',
    description: 'Writes a commit message from a difference.',
    format: 'text',
    content:
      'Write a commit message for the difference below. First line: {{area}}: what changes, at most 72 characters. ' +
      'Then, if it is not obvious, why.\n\n{{difference}}',
    variables: [{ name: 'area', default: 'all' }, { name: 'difference' }],
    tags: ['coding', 'git'],
  },
  'release-notes': {
    ...peerage,
    display_name: 'Release notes',
    description: 'Turns a list of merged changes into notes for the people who upgrade.',
    format: 'text',
    content:
      'Write release notes for {{version}}. What must be done before upgrading comes first, then what is new, then ' +
      'what is mended. Leave out what users do not notice.\n\n{{changes}}',
    variables: [{ name: 'version' }, { name: 'changes' }],
    tags: ['writing', 'releases'],
  },
  'question-to-sql': {
    ...peerage,
    display_name: 'Question to SQL',
    description: 'Turns a question into one read-only query.',
    format: 'text',
    content:
      'The tables:\n{{schema}}\n\nWrite one {{dialect}} SELECT that answers: {{question}}\nIf the tables cannot ' +
      'answer it, say what is missing.',
    variables: [{ name: 'schema' }, { name: 'dialect', default: 'PostgreSQL' }, { name: 'question' }],
    tags: ['sql', 'data'],
  },
  'bug-report': {
    ...peerage,
    display_name: 'Bug report',
    description: 'Turns a complaint into a report that somebody can act on.',
    format: 'text',
    content:
      'Rewrite as a bug report with: what was done, what was expected, what happened, how to repeat it, what is ' +
      'still unknown. Invent nothing.\n\n{{complaint}}',
    variables: [{ name: 'complaint' }],
    tags: ['support'],
  },
}
