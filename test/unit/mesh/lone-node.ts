/**
 * A program of the tests: one mesh in a process of its own. Its argument is the members as JSON: it then
 * prints itself as one and runs until it is killed. With `stop` it makes, stops and reports a small cluster,
 * and ends if nothing is left that keeps a process alive.
 */
import { Fleet, hostPort } from './fleet.ts';

const [argument = ''] = process.argv.slice(2);

if (argument === 'stop') {
  const fleet = await Fleet.of(3);
  await fleet.form();
  await fleet.at(0).mesh.call(fleet.at(1).mesh.id, { type: 'held' });
  // Strangers are on a timer of ten seconds.
  const stranger = await fleet.add();
  await stranger.mesh.join(hostPort(fleet.at(0)), { type: 'invite', clusterId: 'x', members: [] });
  await fleet[Symbol.asyncDispose]();
  process.stdout.write('stopped\n');
} else {
  const fleet = await Fleet.of(1);
  fleet.at(0).mesh.setCluster('test', JSON.parse(argument));
  process.stdout.write(`${JSON.stringify(fleet.known()[0])}\n`);
}
