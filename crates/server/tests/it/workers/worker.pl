# A worker as docs/workers.md describes it, from that page alone, with what every Perl has. It works on the
# queue `perl` until there was no work for a while: host `bad` fails, host `slow` takes longer than its lease
# lasts without heartbeats, everything else succeeds.
use strict;
use warnings;
use HTTP::Tiny;
use JSON::PP;
use Time::HiRes qw(time sleep);

my ($server, $key) = @ARGV;
my $http = HTTP::Tiny->new(timeout => 70);
my $json = JSON::PP->new->utf8->canonical;
my $worker = 'perl-' . join '', map { sprintf '%04x', int rand 65536 } 1 .. 8;

sub call {
    my ($verb, $body) = @_;
    my $pause = 0.2;
    while (1) {
        my $answer = $http->post("$server/v1/workers/$verb", {
            headers => { 'Authorization' => "Bearer $key", 'Content-Type' => 'application/json' },
            content => $json->encode({ worker => $worker, %$body }),
        });
        my $status = $answer->{status};
        return ($status, $json->decode($answer->{content})) if $status < 429;
        # 429, 5xx, and 599 for no answer at all.
        sleep($answer->{headers}{'retry-after'} // $pause);
        $pause = $pause * 2 > 10 ? 10 : $pause * 2;
    }
}

# One heartbeat for all that runs; gives what is still live.
sub heartbeat {
    my ($progress, @leases) = @_;
    my $stages = [{ name => 'Work', status => 'IN_PROGRESS' }];
    my @beats = map { { lease => $_->{lease}, progress => $progress, stages => $stages, log => ["at $progress %"] } } @leases;
    my ($status, $answer) = call('heartbeat', { leases => \@beats });
    die "heartbeat: $status" if $status != 200;
    my %state = map { $_->{lease} => $_->{state} } @{ $answer->{leases} };
    return grep { $state{ $_->{lease} } eq 'live' } @leases;
}

my $idle = 0;
while ($idle < 2) {
    my $sent = time;
    my ($status, $answer) =
        call('lease', { queues => ['perl'], max => 8, wait => '1s', lease => '1s', request => "call-$sent" });
    die "lease: $status " . $json->encode($answer) if $status != 200;
    my @leases = @{ $answer->{leases} };
    if (!@leases) {
        $idle++;
        last if $answer->{draining};
        sleep($answer->{retryAfterMs} / 1000);
        next;
    }
    $idle = 0;
    my (@completed, @failed);
    if (grep { $_->{input}{host} eq 'slow' } @leases) {
        for my $beat (1 .. 8) {
            sleep(0.3);
            @leases = heartbeat(10 * $beat, @leases);
        }
    }
    for my $lease (@leases) {
        my $host = $lease->{input}{host};
        if ($host eq 'bad') {
            push @failed, { lease => $lease->{lease}, retryable => JSON::PP::false,
                error => { code => 'HOST_BAD', message => "$host is bad", context => { exitCode => 7 } } };
        } else {
            push @completed, { lease => $lease->{lease}, output => { host => $host, by => $lease->{idempotencyKey} },
                log => ["done with $host"] };
        }
    }
    my ($code, $results) = call('complete', { completed => \@completed, failed => \@failed });
    die "complete: $code" if $code != 200 && $code != 409;
    for my $result (@{ $results->{results} // [] }) {
        die $json->encode($result) if $result->{status} != 200;
    }
}
