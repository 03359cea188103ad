package FcfTest::Chromium;

# Chromium without a window, driven over its DevTools pipe
# (https://chromedevtools.github.io/devtools-protocol/).
#
#   FcfTest::Chromium->missing          # why there is none; '' if there is
#   my $b = FcfTest::Chromium->start(width => 1280, height => 900,
#       dark => 1, phone => 1);
#   $b->open($url);                     # until it is loaded
#   $b->eval('document.title');         # what JavaScript says; awaits a promise
#   $b->wait_eval('ready()', 10, 'it'); # until that is true
#   $b->key('Tab');                     # as a keyboard does; 'Shift+Tab'
#   $b->type('text');
#   $b->tab_to('#find', 40);            # by so many Tabs at most; how many
#   $b->tree;                           # what screen readers are told:
#                                       # [role, name] of each that has a role
#   $b->heap;                           # bytes of JavaScript that are in use
#   $b->shot($path);                    # PNG of the whole page
#   $b->said;                           # errors and warnings of its console,
#                                       # exceptions, what CSP refused
#   $b->asked;                          # URLs of all requests
#   $b->stop;

use strict;
use warnings;

use JSON::PP ();
use MIME::Base64 qw(decode_base64);
use POSIX qw(dup2 _exit);

my $json = JSON::PP->new->utf8->allow_nonref;

sub _program {
    my ($found) = grep { -x } '/usr/lib/chromium/chromium',
        FcfTest::on_path('chromium') // ();
    return $found;
}

sub missing { _program() ? '' : 'chromium is missing: run/deps test' }

sub start {
    my ($class, %opt) = @_;
    my $self = bless { width => 1280, height => 900, id => 0, said => [],
        asked => [], buf => '', %opt }, $class;
    my $profile = FcfTest::tmpdir() . '/chromium' . ++$class->_count->{n};

    pipe my $their_in, my $to or die "pipe: $!";
    pipe my $from, my $their_out or die "pipe: $!";
    my $pid = fork // die "fork: $!";

    if ($pid == 0) {
        setpgrp;
        CORE::open(STDIN, '<', '/dev/null');
        CORE::open(STDOUT, '>', FcfTest::tmpdir() . '/chromium.log');
        CORE::open(STDERR, '>&', \*STDOUT);
        # 3 and 4 are where it looks
        dup2(fileno $their_in, 40);
        dup2(fileno $their_out, 41);
        dup2(40, 3);
        dup2(41, 4);
        POSIX::close($_) for 5 .. 60;
        no warnings "exec";
        exec _program(), qw(--headless=new --no-sandbox --disable-gpu
            --remote-debugging-pipe --no-first-run --disable-dev-shm-usage
            --disable-background-networking --disable-component-update
            --disable-sync --no-proxy-server --hide-scrollbars),
            "--user-data-dir=$profile", 'about:blank';
        _exit(127);
    }

    @$self{qw(pid to from)} = ($pid, $to, $from);
    $to->autoflush(1);
    FcfTest::at_end(sub { $self->stop });

    my ($page) = grep { $_->{type} eq 'page' }
        @{ $self->call('Target.getTargets')->{targetInfos} };
    $page //= $self->call('Target.createTarget', url => 'about:blank');
    $self->{session} = $self->call('Target.attachToTarget',
        targetId => $page->{targetId}, flatten => JSON::PP::true)->{sessionId};
    $self->call($_) for qw(Page.enable Runtime.enable Log.enable
        Network.enable);
    $self->look(%opt);

    return $self;
}

{
    my %count = (n => 0);
    sub _count { \%count }
}

# size, scheme and motion from here on: width, height, phone, dark, still
sub look {
    my ($self, %opt) = @_;
    $self->{$_} = $opt{$_} for keys %opt;
    $self->call('Emulation.setDeviceMetricsOverride', width => $self->{width},
        height => $self->{height},
        deviceScaleFactor => $self->{scale} // ($self->{phone} ? 2 : 1),
        mobile => $self->{phone} ? JSON::PP::true : JSON::PP::false);
    $self->call('Emulation.setEmulatedMedia', features => [
        { name => 'prefers-color-scheme',
            value => $self->{dark} ? 'dark' : 'light' },
        { name => 'prefers-reduced-motion',
            value => $self->{still} ? 'reduce' : 'no-preference' }]);
}

# one call, and its result
sub call {
    my ($self, $method, %params) = @_;
    my $id = ++$self->{id};
    my %message = (id => $id, method => $method, params => \%params);
    $message{sessionId} = $self->{session} if $self->{session};
    print { $self->{to} } $json->encode(\%message) . "\0";

    my $end = FcfTest::now() + 60;
    while (1) {
        my $m = $self->_message($end) // die "$method: no answer\n";
        if (($m->{id} // 0) == $id) {
            die "$method: $m->{error}{message}\n" if $m->{error};
            return $m->{result};
        }
        $self->_event($m);
    }
}

sub _message {
    my ($self, $end) = @_;
    my $at;
    while (($at = index $self->{buf}, "\0") < 0) {
        my $left = $end - FcfTest::now();
        return if $left <= 0;
        my $in = '';
        vec($in, fileno $self->{from}, 1) = 1;
        next unless select $in, undef, undef, $left;
        sysread $self->{from}, $self->{buf}, 65536, length $self->{buf}
            or die "chromium ended:\n"
                . FcfTest::slurp(FcfTest::tmpdir() . '/chromium.log');
    }
    my $text = substr $self->{buf}, 0, $at + 1, '';
    chop $text;
    return $json->decode($text);
}

sub _event {
    my ($self, $m) = @_;
    my ($what, $p) = ($m->{method} // '', $m->{params});

    if ($what eq 'Runtime.exceptionThrown') {
        my $d = $p->{exceptionDetails};
        push @{ $self->{said} }, $d->{exception}{description} // $d->{text};
    } elsif ($what eq 'Runtime.consoleAPICalled'
        && $p->{type} =~ /^(?:error|warning|assert)$/)
    {
        push @{ $self->{said} }, join ' ', map { $_->{value} // '' }
            @{ $p->{args} };
    } elsif ($what eq 'Log.entryAdded'
        && $p->{entry}{level} =~ /^(?:error|warning)$/)
    {
        push @{ $self->{said} }, "$p->{entry}{text} "
            . ($p->{entry}{url} // '');
    } elsif ($what eq 'Network.requestWillBeSent') {
        push @{ $self->{asked} }, $p->{request}{url};
    }
    $self->{events}{$what}++;
}

# nothing is evaluated meanwhile: its context is gone with the page before
sub open {
    my ($self, $url) = @_;
    my $before = $self->{events}{'Page.loadEventFired'} // 0;
    $self->call('Page.navigate', url => $url);
    my $end = FcfTest::now() + 30;
    while (($self->{events}{'Page.loadEventFired'} // 0) == $before) {
        $self->_event($self->_message($end) // die "$url was not loaded\n");
    }
}

sub eval {
    my ($self, $code) = @_;
    my $r = $self->call('Runtime.evaluate', expression => $code,
        returnByValue => JSON::PP::true, awaitPromise => JSON::PP::true);
    die "$code: $r->{exceptionDetails}{exception}{description}\n"
        if $r->{exceptionDetails};
    return $r->{result}{value};
}

sub wait_eval {
    my ($self, $code, $timeout, $what) = @_;
    my $value;
    FcfTest::wait_for(sub { $value = $self->eval($code) }, $timeout, $what);
    return $value;
}

my %code = (Tab => 9, Enter => 13, Escape => 27);

sub key {
    my ($self, $key) = @_;
    my $shift = $key =~ s/^Shift\+//;
    my %k = (key => $key, code => $key, windowsVirtualKeyCode => $code{$key},
        modifiers => $shift ? 8 : 0);
    $self->call('Input.dispatchKeyEvent', type => 'keyDown', %k,
        $key eq 'Enter' ? (text => "\r") : ());
    $self->call('Input.dispatchKeyEvent', type => 'keyUp', %k);
}

sub type {
    my ($self, $text) = @_;
    $self->call('Input.insertText', text => $text);
}

sub tab_to {
    my ($self, $selector, $most) = @_;
    for my $n (1 .. $most) {
        $self->key('Tab');
        return $n if $self->eval("document.activeElement.matches('$selector')");
    }
    die "no $selector within $most Tabs\n";
}

sub tree {
    my ($self) = @_;
    return map { [$_->{role}{value}, $_->{name}{value} // ''] }
        grep { !$_->{ignored} && $_->{role} }
        @{ $self->call('Accessibility.getFullAXTree')->{nodes} };
}

sub heap {
    my ($self) = @_;
    $self->call('HeapProfiler.collectGarbage');
    return $self->call('Runtime.getHeapUsage')->{usedSize};
}

# all of the page, or what is seen of it
sub shot {
    my ($self, $path, %opt) = @_;
    my $r = $self->call('Page.captureScreenshot', format => 'png',
        captureBeyondViewport => $opt{seen} ? JSON::PP::false
            : JSON::PP::true);
    FcfTest::spew($path, decode_base64($r->{data}));
}

sub said  { @{ $_[0]{said} } }
sub asked { @{ $_[0]{asked} } }
sub forget { $_[0]{said} = [] }

sub stop {
    my ($self) = @_;
    my $pid = delete $self->{pid} or return;
    close $self->{to};
    my $end = FcfTest::now() + 5;
    my $gone;
    select undef, undef, undef, 0.05
        until ($gone = waitpid $pid, POSIX::WNOHANG()) || FcfTest::now() > $end;
    kill 'KILL', -$pid;
    waitpid $pid, 0 unless $gone;
}

1;
