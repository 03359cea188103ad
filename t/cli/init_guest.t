# The new user's path, from README alone, with real guests in software
# emulation: init, deploy, call, for each runtime; an error in the handler is a
# 500, and is seen in the logs; and the id of that answer finds its lines in
# gateway, agent and function.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;
use Time::HiRes qw(time);

my $s = FcfTest::System->start(vmm => 'qemu', env => {
    AGENT_MORE => 'log_level=debug' })->up(180);
my $cli = $s->cli;
my $dir = tmpdir();

# the commands as README has them, for this system
my ($path) = slurp(root() . '/README.md')
    =~ /^### From nothing to an answer\n.*?\n\n((?:    .*\n)+)/ms;
ok($path, 'README has them');
my @said = map { s/^    //r } split /\n/, $path // '';
ok(@said > 2, scalar(@said) . ' of them');

# base and node as README's python3
my %first = (base => ['hello world', 'greeting world'],
    python3 => ['{"hello": "Ada"}', 'greeting Ada'],
    node => ['{"hello":"Ada"}', 'greeting Ada']);

my $begin = time;
for my $line (@said) {
    my $run = $line =~ s/#.*//r;
    $run =~ s{^build/run/fcfaas}{FCFAAS_CONF='${\$cli->conf_path}' ${\FcfTest::Cli::binary()}};
    $run =~ s{127\.0\.0\.1:8080}{127.0.0.1:${\$s->port}};
    $run .= ' --timeout 120' if $run =~ / deploy /;
    my $out = `cd '$dir' && $run 2>&1`;
    is($?, 0, $line) or diag($out);
    like($out, qr/\Q$first{python3}[0]\E/, '  its answer') if $line =~ /curl/;
}
diag(sprintf 'from nothing to an answer: %.1f s', time - $begin);

for my $runtime (qw(base node)) {
    $cli->ok('init', '--runtime', $runtime, "$dir/my-$runtime");
    $cli->ok('deploy', "$dir/my-$runtime", '-t', 120);
    my $r = $cli->ok('invoke', "my-$runtime/"
        . ($runtime eq 'base' ? '' : '?name=Ada'));
    is($r->{out} =~ s/\n\z//r, $first{$runtime}[0], "$runtime: it answers");
}

my %name = (python3 => 'f', node => 'my-node', base => 'my-base');
for my $runtime (sort keys %name) {
    wait_for(sub { $cli->run('logs', $name{$runtime})->{out}
        =~ / \| \Q$first{$runtime}[1]\E$/m }, 20, "what $runtime printed");
}

# an error
my $handler = slurp("$dir/f/handler.py");
spew("$dir/f/handler.py", $handler =~ s/(    return)/    raise ValueError('no such luck')\n\n$1/r);
$cli->ok('deploy', "$dir/f", '-t', 120);
my $r = $s->get('/run/f');
is($r->{status}, 500, 'an error in the handler');
my $id = $r->{headers}{'x-request-id'};
like($id, qr/^req-/, 'the answer has an id');
wait_for(sub { $cli->run('logs', 'f', '--request', $id)->{out}
    =~ / stderr \Q$id\E \| ValueError: no such luck$/m }, 20,
    'which finds the error in the logs');
like($cli->ok('logs', 'f', '--request', $id)->{out},
    qr/ stdout \Q$id\E \| greeting world$/m, 'and what was printed before');
like($s->log('access'), qr/\Q$id\E/, "in the gateway's log");

my $again = $cli->run('init', "$dir/f");
is($again->{status}, 1, 'init where there is something');
like($again->{err}, qr/is there, and not empty/, 'is refused');
$again = $cli->run('init', '--runtime', 'cobol', "$dir/g");
is($again->{status}, 2, 'a runtime without template');
like($again->{err}, qr/of base, python3 and node/, 'is told');
ok(!-e "$dir/g", 'and nothing is made');

spew("$dir/f/fcfaas.json", '{"runtime":"python3","memory":1}');
$again = $cli->run('deploy', "$dir/f");
like($again->{err}, qr{fcfaas\.json: memory: there is no such field; did you mean memory_mb\?},
    'a wrong field in fcfaas.json');
spew("$dir/f/fcfaas.json", '{"runtime":');
like($cli->run('deploy', "$dir/f")->{err},
    qr{fcfaas\.json: is not a JSON object: }, 'and what is no JSON');

done_testing;
