/** What is told of a run beside its result: how it was isolated, why it got so many ways, what it filled of them. */
import Type, { type Static } from 'typebox';
import { nullable } from './fields.ts';

export const Isolation = Type.Object(
  {
    user: Type.String(),
    limits: Type.Enum(['cgroup', 'prlimit', 'none']),
    sandbox: Type.Enum(['bubblewrap', 'none']),
    network: Type.Boolean({ description: 'Whether the program could reach the network.' }),
    pinned: Type.Boolean({ description: 'Whether it was kept to the CPUs of its LLC domain.' }),
  },
  { description: 'What kept the program from the machine and from other programs.' },
);

export const Choice = Type.Object(
  {
    needed: Type.Integer({ description: 'The fewest ways that keep the slowdown within what is allowed.' }),
    ways: Type.Integer({ description: 'Ways wanted: more than needed while they are free and help.' }),
    expected_slowdown: Type.Number({ description: 'Expected with these ways, relative to the whole cache.' }),
    at_most: Type.Number({ description: 'The slowdown is surely at most this.' }),
    max_slowdown: Type.Number({ description: 'What the request allowed.' }),
    model: Type.String(),
    model_version: nullable(Type.Integer({ description: 'Null for a method without weights.' })),
  },
  { description: 'Why it got so many ways. Null for benchmarks and in mode INOP.' },
);

export const choiceExample: Static<typeof Choice> = {
  needed: 3,
  ways: 4,
  expected_slowdown: 1.01,
  at_most: 1.03,
  max_slowdown: 1.05,
  model: 'fsched',
  model_version: 2,
};
