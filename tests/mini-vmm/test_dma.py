#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""DMA in mini-vmm: two devices of the untrusted host move what the guest asks them to, through the
engine; what they have no right to is refused, each for its own reason; the bus shows ciphertext.
Live, and from the recorded run."""
import re
import subprocess

from vmm import (Altered, BACKEND, BUILD, Case, FAIL, PASS, TOP, deny_create_vm, main, need_kvm,
                 vmm, vmm_json)

TRACE = TOP / "examples" / "mini-vmm" / "traces" / "dma.svmtrace"
CALL, GATE, DMA, MOVED = 5, 20, 21, 22  # docs/spec/trace.md
CIPHER = 11

# What is tried, and what must refuse it: docs/spec/dma.md, by hand.
TRIED = (
    ("a function that no slot is bound to", "not bound to a slot"),  # DM-3
    ("a function of a segment that is not there", "no such segment"),  # DM-3
    ("the number of the processor's own accesses", "not bound to a slot"),
    ("another VM's function, to which this page is mapped", "another slot's page"),  # DM-8
    ("the block device, to which the net's page is mapped", "another slot's page"),  # DM-8
    ("the net device, at an address of the block device's", "not mapped to it"),  # DM-6
    ("an address beyond the last page", "not mapped to it"),
    ("a write that ends a line beyond it", "not mapped to it"),  # DM-6: nothing moves
    ("address and length that wrap", "beyond the end of all addresses"),  # DM-6
    ("a write to the list, which it may only read", "not its right to this page"),  # DM-8
    ("an operation that is none", "unknown operation"),
    ("a part of no bytes", "the bytes of a part"),
    ("more bytes than its page has room for", "the bytes of a part"),
    ("a flight that nobody began", "this function has no such flight"),
    ("the net device's flight, by the block device", "this function has no such flight"),
    ("an older frame, put back on the bus", "not what was written last: the tag"),  # DM-17
    ("a flight from before the net device got a fresh key", "its slot is revoked"),  # DM-21
    ("its end, as if what it brought were good", "its slot was cut"),  # DM-21
)
CANARY = b"CANARY OF THE VM"
SECTORS = 3 * 512

# A confined host that answers no request, but asks for DMA at random, near what is right.
LIAR = """
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "confine.h"
#include "dma_wire.h"
static uint64_t noise(void)
{
    static uint64_t state = SEED;
    uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}
int main(void)
{
    static const uint64_t words[] = { 0, 1, 2, 3, 4, 64, 0x10000, 0x12fff, 0x20000, 0x30000,
                                      0xa0000, 0xfff, 3840, 3841, DMA_BLOCK, DMA_NET, DMA_OTHER,
                                      DMA_PROCESSOR, ~0ull, 1ull << 63, ~0ull - 63 };
    uint8_t *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, 3, 0);
    uint32_t ask[sizeof(struct wire_dma_ask) / 4];
    uint64_t bell = 1;
    if (page == MAP_FAILED || confine(6, 1) != 0)
        return 1;
    while (write(5, &bell, sizeof bell) == 8 && read(4, &bell, sizeof bell) == 8) {
        struct wire_dma_ask *m = (void *)ask;
        memset(ask, 0, sizeof ask);
        m->op = noise() % 5;
        m->bdf = noise() % 2 ? DMA_BLOCK : (uint32_t)words[noise() % 21];
        m->flight = noise() % 2 ? 0 : (uint32_t)words[noise() % 21];
        m->pieces = m->op > 1 ? 0 : noise() % 6;
        for (uint32_t i = 0; i < m->pieces && i < 4; i++) {
            m->piece[i].iova = words[noise() % 21] + noise() % 2;
            m->piece[i].bytes = noise() % 2 ? words[noise() % 21] : noise() % 1300;
        }
        if (noise() % 8 == 0)
            ask[noise() % 22] = (uint32_t)noise();
        memcpy(page + 4096, ask, sizeof ask);
        bell = 1 | 1 << 9;
    }
    return 0;
}
"""


def lines(run):
    return [e["text"].split(" ", 4)[4] for e in run["calls"] if e["text"].startswith("dma |")]


class Dma(Case):
    def check_run(self, run):
        """Every attempt with its own reason, work before and behind them, no canary on the bus."""
        self.assertEqual((run["verdict"], run["why"]), ("PASS", ""))
        said = lines(run)
        self.assertEqual(said[:len(TRIED)], [f"refused: {what}: {why}" for what, why in TRIED])
        block, net, tries, got, bus, device, memory = said[len(TRIED):]
        # by hand, from examples/guests/dma.c: six lists and 2 * 3 sectors out, 2 * 4 sectors in
        self.assertRegex(block, r"^block 00:04\.0, opaque, AES-256-XTS: 8 reads, "
                         f"{6 * 80 + 2 * SECTORS} bytes; 4 writes, {2 * (SECTORS + 512)} bytes$")
        # nine lists and four frames out, the refused one is no read; four frames in
        self.assertRegex(net, r"^net 00:05\.0, authentic, AES-256-GCM: 13 reads, "
                         f"{9 * 80 + 4 * 104} bytes; 4 writes, {4 * 104} bytes$")
        self.assertEqual(tries, f"{len(TRIED)} attempts, 0 not refused as they should be; faults "
                         "in all: 0")
        self.assertEqual(got, "the canary: 10 times in what devices got")  # 2 * 3 sectors, 4 frames
        self.assertRegex(bus, r"^the canary on the bus: 0 times in \d+ looks at the pages, 0 in "
                         r"2097152 bytes$")
        self.assertGreater(int(re.search(r"in (\d+) looks", bus)[1]), 50)
        self.assertEqual(bytes.fromhex(device.split(": ")[1]), CANARY)
        self.assertNotEqual(bytes.fromhex(memory.split(": ")[1]), CANARY)
        self.assertEqual(device.split(",")[0], memory.split(",")[0])
        self.assertFalse([line for line in said if "ACCEPTED" in line or "NOT " in line])


@need_kvm
class Live(Dma):
    def test_devices_work_and_attempts_are_refused(self):
        done = vmm_json("--dma")
        self.assertEqual(done.status, PASS, done.json["calls"][-8:])
        self.check_run(done.json)
        self.assertEqual(done.json["backend"]["type"], "kvm")

    def test_the_same_plaintext_is_other_ciphertext_each_time(self):
        seen = {lines(vmm_json("--dma").json)[-1] for _ in range(3)}
        self.assertEqual(len(seen), 3)

    def test_what_it_prints(self):
        done = vmm("--dma")
        self.assertEqual(done.status, PASS, done.text)
        self.assertTrue(done.text.startswith("backend: /dev/kvm"))
        for line in done.text.splitlines():
            self.assertLessEqual(len(line), 100, line)
        self.assertLess(len(done.text.splitlines()), 50)
        self.assertIn("Exits of vCPU 0", vmm("--dma", "--all").text)

    def test_what_the_host_is_asked(self):
        """Registers of devices and the console: the pages are none of its business."""
        asked = {e["address"] for e in vmm_json("--dma").json["exits"] if e["pages"] > 0}
        self.assertEqual(asked, {"0x530", "0x534", "0x3f8", "0x0"})

    def test_the_secret_stays_inside(self):
        done = vmm_json("--dma", "--scan")
        self.assertEqual((done.status, done.json["scan"]["hits"]), (PASS, 0))

    def test_what_was_recorded_replays(self):
        file = self.tmp / "dma.svmtrace"
        live, again = vmm_json("--dma", "--record", file), vmm_json("--replay", file)
        self.assertEqual((live.status, again.status), (PASS, PASS), again.json["why"])
        self.assertEqual(live.json["calls"], again.json["calls"])

    def test_a_host_that_asks_without_end(self):
        """Whatever it asks for: a verdict each, nothing but its devices' own, and the run ends."""
        folder, source = TOP / "examples" / "mini-vmm", self.tmp / "liar.c"
        source.write_text(LIAR)
        for seed in range(4):
            program = self.tmp / f"liar{seed}"
            subprocess.run(["gcc", "-D_GNU_SOURCE", f"-DSEED={seed}", "-I", folder, "-I",
                            TOP / "include", "-o", program, source, folder / "confine.c"],
                           check=True)
            done = vmm_json("--dma", "--host", program)
            self.assertEqual((done.status, done.json["verdict"]), (FAIL, "STOPPED"), done.errors)
            self.assertIn("16 wrong replies in a row", done.json["why"])
            refused = {line for line in lines(done.json) if line.startswith("NOT DONE")}
            self.assertGreater(len(refused), 6, refused)
            self.assertFalse([line for line in lines(done.json) if "tables" in line])

    def test_a_guest_whose_devices_do_nothing(self):
        """No attempt, no canary: such a run has shown nothing."""
        file = self.tmp / "idle.bin"
        file.write_bytes(b"\xb8PASS\xf4")
        done = vmm_json("--dma", file)
        self.assertEqual((done.status, done.json["why"][:3]), (FAIL, "DMA"))

    def test_a_guest_that_leaves_plaintext_in_memory(self):
        """The canary elsewhere in its memory: the search finds it."""
        file = self.tmp / "leak.bin"
        file.write_bytes(b"\xb8PASS\xf4" + CANARY)
        self.assertIn("looks at the pages, 1 in 2097152 bytes",
                      " ".join(lines(vmm_json("--dma", file).json)))


class Replay(Altered, Dma):
    """The recorded run, as it is, and with records that were changed."""

    trace = TRACE

    def replay(self):
        return vmm_json("--replay", self.altered())

    def changed(self, at, offset):
        """One byte of a record."""
        self.records[at][1][offset] ^= 1
        done = self.replay()
        self.records[at][1][offset] ^= 1
        return done

    def of_kind(self, kind):
        return [n for n, (k, p) in enumerate(self.records) if k == kind and p]

    def test_the_shipped_trace(self):
        done = vmm_json("--replay", TRACE)
        self.assertEqual(done.status, PASS, done.json["why"])
        self.check_run(done.json)

    def test_every_line_answer_and_byte_counts(self):  # TR-7
        for kind in (GATE, MOVED):
            for at in self.of_kind(kind)[::9]:
                self.assertEqual(self.changed(at, -1).status, FAIL)

    def test_every_message_counts(self):  # TR-6
        work = [n for n in self.of_kind(DMA)
                if len(self.records[n][1]) == 88 and self.records[n][1][80] == 0]
        for at in work[::5]:
            for offset in (0, 4, 12):  # operation, function, parts
                self.assertEqual(self.changed(at, offset).status, FAIL, (at, offset))
        del self.records[self.of_kind(DMA)[0]][1][-1]  # cut
        self.assertEqual(self.replay().status, FAIL)

    def test_the_cipher_and_what_the_search_found(self):
        cipher, found = [n for n in self.of_kind(CALL) if self.records[n][1][0] == CIPHER]
        for offset in (4, 8):
            self.assertNotEqual(self.changed(cipher, offset).status, PASS)
        self.assertEqual(self.changed(found, 4).status, FAIL)


class Fallback(Dma):
    """Where /dev/kvm cannot be used."""

    def test_the_recorded_run(self):
        done = vmm("--dma", preexec_fn=deny_create_vm)
        self.assertEqual(done.status, PASS, done.text + done.errors)
        head = "\n".join(done.text.splitlines()[:2])
        self.assertIn("recorded trace, as /dev/kvm cannot be used", head)
        self.assertIn("dma.svmtrace", head)
        for what, why in TRIED:
            self.assertIn(f"refused: {what}: {why}", done.text)
        self.assertIn("backend: recorded trace\nverdict: PASS", done.text)

    def test_what_only_a_live_guest_can_do(self):
        done = vmm("--dma", BUILD / "guests" / "dma.bin", preexec_fn=deny_create_vm)
        self.one_line_error(done, "needs /dev/kvm", status=BACKEND)


class Usage(Dma):
    def test_errors_are_one_line(self):
        for other in (("--vcpus", 2), ("--tokens",), ("--hypercalls",), ("--evil",),
                      ("--host-format", "ghcb"), ("--replay", TRACE)):
            self.one_line_error(vmm("--dma", *other), "--dma runs alone")
        self.one_line_error(vmm("--host-format", "page+dma"), "no such form")

    def test_help(self):
        self.assertIn("--dma", vmm("--help").text)


main()
