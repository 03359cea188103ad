# Every command of README.md and docs/, read from there and run in order on a
# whole system (the instant backend: what guests answer is t/cli's).  What is
# not run here is named, with where it is.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my $top = root();
is(system('make', '-s', '-C', $top, map { "build/vm/runtimes/$_.img" }
    qw(python3 node)), 0, 'the runtimes are made');

my $s = FcfTest::System->start(vmm => 'instant', env => {
    MAX_VMS => 60, PARK_TIMEOUT => '20s' })->up(120);

# where people are: with a checkout's build, and files of their own
my $dir = tmpdir() . '/tree';
mkdir $_ for $dir, "$dir/build", "$dir/bin";
symlink $s->run_dir, "$dir/build/run" or die $!;
symlink $s->run_dir . '/fcfaas', "$dir/bin/fcfaas" or die $!;
spew("$dir/file", 'some text');
spew("$dir/db-url", 'postgres://db');
spew("$dir/keys", "A=1\nB=2\n");

# by pattern: where it is run instead, and what must stand there
my @elsewhere = (
    [qr/^make run$|^make run .*PORT/ => 't/e2e/run.t', qr/FcfTest::System->start/],
    [qr/^make stop/ => 't/e2e/run.t', qr/'make stop'/],
    [qr/^make clean-run/ => 't/e2e/run.t', qr/'make clean-run'/],
    [qr/^make test/ => '.ci/run', qr/^exec (?:env \S+ )?make test$/m],
    [qr/^make -C vm kernel/ => 'vm/Makefile', qr/^kernel:/m],
    [qr/^make -C vm runtimes/ => 'vm/Makefile', qr/^runtimes:/m],
    [qr/^make install/ => 't/system/install.t', qr/'install'|make install/],
    [qr/^make deb|^apt install/ => 't/system/boot.t', qr/apt-get [^\n]*\n?.*install/],
    [qr/^fcfaas-setup single/ => 't/system/boot.t', qr/'fcfaas-setup single/],
    [qr{^fcfaas deploy /usr/share/doc/fcfaas} => 't/system/boot.t',
        qr{'fcfaas deploy /usr/share/doc/fcfaas}],
    [qr/oci:|docker/ => 't/cli/oci.t', qr/'oci:|"oci:/],
    # wants a registry
    [qr/npm install/ => 't/cli/docs_guest.t', qr{=~ /npm /}],
    [qr/ top\b/ => 't/cli/top.t', qr/'top'/],
    [qr/logs .*-f\b/ => 't/cli/logs.t', qr/'-f'/],
    # wants another nginx's source: by hand, but make knows what it is to do
    [qr/^make nginx/ => 'ngx_fcfaas_module/rules.mk', qr/^nginx:/m],
    [qr/^fcfaas-agent --check/ => 't/agent/check.t', qr/'--check'/],
    [qr/DIR=path/ => 't/e2e/run.t', qr/make\('deploy', \$dir\)/],
    [qr/^apt (?:remove|purge)/ => 't/system/boot.t', qr/apt-get -q -y purge/],
    [qr/^fcfaas-setup (?:gateway|node) --join/ => 't/system/several.t',
        qr/"fcfaas-setup gateway --join=\$gateway"/],
    [qr/^fcfaas-setup (?:gateway|token|renew|remove)/ => 't/system/several.t',
        qr/'fcfaas-setup remove node-2'/],
    [qr/^fcfaas-agent drain/ => 't/system/several.t', qr/ drain '/],
);
# a block as a whole, which is read from there
my ($whole, $reader) = (qr{/var/backups/fcfaas}, 't/system/backup.t');

# by pattern: what a reader does before
my $changed = 0;
my @before = (
    [qr/greet\.zip/ => sub { system("cd $dir/greet && python3 -c 'import "
        . "shutil; shutil.make_archive(\"../greet\", \"zip\")'") }],
    [qr/--percent/ => sub { $changed++;
        spew("$dir/hi/handler.py", slurp("$dir/hi/handler.py") . "# $changed\n")
    }],
);

# blocks of commands: [page, lines]
sub blocks {
    my @blocks;
    for my $page ('README.md', map { s{^\Q$top\E/}{}r } glob "$top/docs/*.md") {
        my $text = slurp("$top/$page") =~ s/^```.*?^```//msgr;
        push @blocks, [$page, $1]
            while $text =~ /((?:^(?: {4}.*)?\n)*^ {4}\S.*\n(?:^(?: {4}.*)?\n)*)/mg;
    }
    return grep { $_->[1] !~ /Syntax:/ } @blocks;
}

# a command with its continuation, or here-document
sub commands {
    my @lines = map { s/^ {4}//r } split /\n/, $_[0];
    my @commands;
    while (defined(my $line = shift @lines)) {
        next if $line =~ /^(?:#|\s*$)/;
        $line .= "\n" . shift @lines while $line =~ /\\\z/;
        if ($line =~ /<<'(\w+)'/) {
            my $end = $1;
            $line .= "\n" . shift @lines until $line =~ /\n\Q$end\E\z/;
        }
        push @commands, $line;
    }
    return @commands;
}

my ($run, $not) = (0, 0);
my $exported = '';

# one that has no example any more is not kept
my %used = map { $_->[0] => 0 } @elsewhere;

for (blocks()) {
    my ($page, $text) = @$_;
    if ($text =~ $whole) {
        like(slurp("$top/$reader"), qr{slurp.*/\Q$page\E}, "$page: $reader reads it");
        next;
    }
    for my $command (commands($text)) {
        my ($there) = grep { $command =~ $_->[0] } @elsewhere;
        if ($there) {
            my ($of, $file, $has) = @$there;
            $used{$of} = 1;
            like(slurp("$top/$file"), $has, "$page: $command: is in $file");
            $not++;
            next;
        }

        my $line = $command;
        $exported .= "$1; " if $line =~ /^(export \S+)/;
        # "make deploy" is "fcfaas deploy"
        $line =~ s{^make deploy DIR=(\S+)(?: SPEC=(.*))?$}
            {"build/run/fcfaas deploy $1" . ($2 ? " --spec $2" : '')}e;
        $_->[1]->() for grep { $line =~ $_->[0] } @before;
        $line =~ s/\bcurl /curl -sSf --noproxy '*' --max-time 60 /g;
        my $in = $line =~ /secret set \S+ \S+\s*(?:#|$)/ ? 'echo x |' : '';
        spew("$dir/run", "$exported$in $line\n");
        my $out = `cd \Q$dir\E && PATH=\Q$dir\E/bin:\$PATH timeout 120 sh ./run 2>&1 </dev/null`;
        is($?, 0, "$page: $command") or diag($out);
        $run++;
    }
}

cmp_ok($run, '>', 35, "$run commands were run");
cmp_ok($not, '<', 40, "$not stand elsewhere");
is_deeply([grep { !$used{$_} } sort keys %used], [], 'none of which is of no use');

# Commands within a sentence: their verb, target or option is one.
my %words;
{
    my $said = `$dir/bin/fcfaas help 2>&1`;
    $words{fcfaas}{$1} = 1 while $said =~ /^ +([a-z]+)\b/mg;
    $said = `'@{[build_dir()]}/agent/fcfaas-agent' --help 2>&1`;
    $words{'fcfaas-agent'}{$1} = 1 while $said =~ /(--[a-z-]+|\b[a-z]+\b)/g;
    my $make = join '', map { slurp($_) } "$top/Makefile", glob "$top/*/rules.mk";
    $words{fcfaas}{help} = 1;
    $words{make}{$_} = 1 for map { split } $make =~ /^([a-z -]+):/mg;
}
for my $page ('README.md', map { s{^\Q$top\E/}{}r } glob "$top/docs/*.md") {
    my $text = slurp("$top/$page") =~ s/^```.*?^```//msgr =~ s/\n/ /gr;
    while ($text =~ /`((?:build\/run\/)?(fcfaas|fcfaas-agent|make) ([^`]*))`/g) {
        my ($all, $program, $rest) = ($1, $2, $3);
        next if $rest =~ /^\$|^\w+=/;         # a directive
        my ($first) = $rest =~ /^(--?[a-z-]+|[a-z-]+)/ or next;
        next if $all =~ /^make -C vm (?:kernel|runtimes)$/;
        ok($words{$program}{$first}, "$page: `$all` is there");
    }
}

is($s->make('stop'), 0, 'make stop');
done_testing();
