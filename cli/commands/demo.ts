import type { Command } from 'commander';
import type { Environment } from '../../node/config/config.ts';

export function registerDemo(program: Command, environment: Environment): void {
  program
    .command('demo')
    .description('three nodes on this machine: elect, benchmark, run, kill the master, go on')
    .option('--once', 'end after the last step (else the nodes stay up until Ctrl-C)')
    .action(async (flags: { once?: boolean }) => {
      const { runDemo } = await import('../demo/demo.ts');
      process.exitCode = await runDemo({ once: flags.once ?? false, environment });
      // Sockets of the killed node may linger; the demo has nothing left to do.
      process.exit();
    });
}
