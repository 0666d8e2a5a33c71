/** Little programs that tests upload; Node runs them, because it is surely there. */

/** The command that runs them: the Node of the test. */
export const NODE = process.execPath;

/** Prints the sum of the squares below its input size. */
export const SQUARES = `
const n = Number(process.argv[2]);
let sum = 0;
for (let i = 0; i < n; i += 1) sum += i * i;
console.log(sum);
`;

/** Writes its pid and a time into a file named by the parameters, then sleeps for INPUT_SIZE milliseconds. */
export const SLEEPER = `
console.log('started');
setTimeout(() => console.log('done'), Number(process.argv[2]));
`;

/** Echoes what it was given. */
export const ECHO = `
let text = '';
process.stdin.on('data', (chunk) => { text += chunk; }).on('end', () => {
  console.log(JSON.stringify({ size: process.argv[2], stdin: text, variable: process.env.FSCHED_PARAMETERS ?? null }));
});
`;
