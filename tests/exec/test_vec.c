/* SPDX-License-Identifier: MIT */
/* Vector instructions: rules XE-25 to XE-29 of docs/spec/exec.md, and what a processor gave. */
#include "exec_lab.h"

#define DATA (LAB_LINEAR + 0x100)

static struct exec_lab lab;

#define RUN(...) \
    exec_lab_run(&lab, (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

/* Word j of register i; registers 40 on are masks, 99 is memory. */
static uint64_t word(unsigned i, unsigned j)
{
    return (uint64_t)(8 * i + j + 1) * 0x9e3779b97f4a7c15u;
}

static void put(uint8_t *at, uint64_t value)
{
    for (unsigned i = 0; i < 8; i++)
        at[i] = (uint8_t)(value >> 8 * i);
}

static uint64_t get(const uint8_t *at)
{
    uint64_t v = 0;

    for (unsigned i = 8; i > 0; i--)
        v = v << 8 | at[i - 1];
    return v;
}

static void open_vectors(void)
{
    exec_lab_open(&lab, SVMC_ISA_X86_64);
    for (unsigned i = 0; i < 32; i++)
        for (unsigned j = 0; j < 8; j++)
            put(lab.vector[i] + 8 * j, word(i, j));
    for (unsigned i = 0; i < 8; i++) {
        put(lab.mask[i], word(40 + i, 0));
        exec_lab_store(&lab, DATA + 8 * i, 8, word(99, i));
    }
    lab.regs.general[SVMC_REG_RBX] = DATA;
    lab.regs.general[SVMC_REG_RAX] = 5;
    lab.regs.general[SVMC_REG_RDX] = 20;
}

static void check_fault(unsigned vector, const char *what)
{
    CHECK_EQ(lab.out.action, SVMC_EXEC_FAULT, "%s", what);
    CHECK_EQ(lab.out.fault.vector, vector, "%s", what);
}

/* ---- what a processor makes of them ---- */

struct given {
    const char *name;
    uint8_t count, to; /* bytes; the register that is written */
    const char *bytes;
    uint64_t want[4]; /* the low half of it */
};

/* Executed by an Intel Xeon (Sapphire Rapids) with these registers, RBX at memory. */
/* clang-format off */
static const struct given given[] = {
    { "movups xmm0, [rbx]", 3, 0, "\x0f\x10\x03",
      { 0x19d80f9b4dba5d0d, 0xb80f8954cd04d922, 0xdaa66d2c7ddf743f, 0x78dde6e5fd29f054 } },
    { "movss xmm0, [rbx]", 4, 0, "\xf3\x0f\x10\x03",
      { 0x000000004dba5d0d, 0x0000000000000000, 0xdaa66d2c7ddf743f, 0x78dde6e5fd29f054 } },
    { "movsd xmm0, [rbx]", 4, 0, "\xf2\x0f\x10\x03",
      { 0x19d80f9b4dba5d0d, 0x0000000000000000, 0xdaa66d2c7ddf743f, 0x78dde6e5fd29f054 } },
    { "movd xmm0, [rbx]", 4, 0, "\x66\x0f\x6e\x03",
      { 0x000000004dba5d0d, 0x0000000000000000, 0xdaa66d2c7ddf743f, 0x78dde6e5fd29f054 } },
    { "movlps xmm0, [rbx]", 3, 0, "\x0f\x12\x03",
      { 0x19d80f9b4dba5d0d, 0x3c6ef372fe94f82a, 0xdaa66d2c7ddf743f, 0x78dde6e5fd29f054 } },
    { "movhpd xmm0, [rbx]", 4, 0, "\x66\x0f\x16\x03",
      { 0x9e3779b97f4a7c15, 0x19d80f9b4dba5d0d, 0xdaa66d2c7ddf743f, 0x78dde6e5fd29f054 } },
    { "vmovlps xmm0, xmm1, [rbx]", 4, 0, "\xc5\xf0\x12\x03",
      { 0x19d80f9b4dba5d0d, 0x2e2ac13ef8e8d8d2, 0x0000000000000000, 0x0000000000000000 } },
    { "vmovhps xmm0, xmm1, [rbx]", 4, 0, "\xc5\xf0\x16\x03",
      { 0x8ff34785799e5cbd, 0x19d80f9b4dba5d0d, 0x0000000000000000, 0x0000000000000000 } },
    { "movddup xmm0, [rbx]", 4, 0, "\xf2\x0f\x12\x03",
      { 0x19d80f9b4dba5d0d, 0x19d80f9b4dba5d0d, 0xdaa66d2c7ddf743f, 0x78dde6e5fd29f054 } },
    { "vmovddup ymm0, [rbx]", 4, 0, "\xc5\xff\x12\x03",
      { 0x19d80f9b4dba5d0d, 0x19d80f9b4dba5d0d, 0x5647030e4c4f5537, 0x5647030e4c4f5537 } },
    { "vmovsldup ymm0, [rbx]", 4, 0, "\xc5\xfe\x12\x03",
      { 0x4dba5d0d4dba5d0d, 0xcd04d922cd04d922, 0x4c4f55374c4f5537, 0xcb99d14ccb99d14c } },
    { "vmovshdup ymm0, [rbx]", 4, 0, "\xc5\xfe\x16\x03",
      { 0x19d80f9b19d80f9b, 0xb80f8954b80f8954, 0x5647030e5647030e, 0xf47e7cc7f47e7cc7 } },
    { "vbroadcastss ymm0, [rbx]", 5, 0, "\xc4\xe2\x7d\x18\x03",
      { 0x4dba5d0d4dba5d0d, 0x4dba5d0d4dba5d0d, 0x4dba5d0d4dba5d0d, 0x4dba5d0d4dba5d0d } },
    { "vbroadcastf128 ymm0, [rbx]", 5, 0, "\xc4\xe2\x7d\x1a\x03",
      { 0x19d80f9b4dba5d0d, 0xb80f8954cd04d922, 0x19d80f9b4dba5d0d, 0xb80f8954cd04d922 } },
    { "vpbroadcastb xmm0, [rbx]", 5, 0, "\xc4\xe2\x79\x78\x03",
      { 0x0d0d0d0d0d0d0d0d, 0x0d0d0d0d0d0d0d0d, 0x0000000000000000, 0x0000000000000000 } },
    { "pinsrb xmm0, [rbx], 13", 6, 0, "\x66\x0f\x3a\x20\x03\x0d",
      { 0x9e3779b97f4a7c15, 0x3c6e0d72fe94f82a, 0xdaa66d2c7ddf743f, 0x78dde6e5fd29f054 } },
    { "pinsrw xmm0, [rbx], 6", 5, 0, "\x66\x0f\xc4\x03\x06",
      { 0x9e3779b97f4a7c15, 0x3c6e5d0dfe94f82a, 0xdaa66d2c7ddf743f, 0x78dde6e5fd29f054 } },
    { "pinsrd xmm0, [rbx], 1", 6, 0, "\x66\x0f\x3a\x22\x03\x01",
      { 0x4dba5d0d7f4a7c15, 0x3c6ef372fe94f82a, 0xdaa66d2c7ddf743f, 0x78dde6e5fd29f054 } },
    { "pinsrq xmm0, [rbx], 1", 7, 0, "\x66\x48\x0f\x3a\x22\x03\x01",
      { 0x9e3779b97f4a7c15, 0x19d80f9b4dba5d0d, 0xdaa66d2c7ddf743f, 0x78dde6e5fd29f054 } },
    { "insertps xmm0, [rbx], 0x26", 6, 0, "\x66\x0f\x3a\x21\x03\x26",
      { 0x000000007f4a7c15, 0x3c6ef37200000000, 0xdaa66d2c7ddf743f, 0x78dde6e5fd29f054 } },
    { "vinserti128 ymm0, ymm1, [rbx], 1", 6, 0, "\xc4\xe3\x75\x38\x03\x01",
      { 0x8ff34785799e5cbd, 0x2e2ac13ef8e8d8d2, 0x19d80f9b4dba5d0d, 0xb80f8954cd04d922 } },
    { "pand xmm0, [rbx]", 4, 0, "\x66\x0f\xdb\x03",
      { 0x181009994d0a5c05, 0x380e8150cc04d822, 0xdaa66d2c7ddf743f, 0x78dde6e5fd29f054 } },
    { "vpandn ymm0, ymm1, [rbx]", 4, 0, "\xc5\xf5\xdf\x03",
      { 0x1008081a04200100, 0x9005084005040120, 0x12050106044c0110, 0x9466484608800100 } },
    { "por xmm0, [rbx]", 4, 0, "\x66\x0f\xeb\x03",
      { 0x9fff7fbb7ffa7d1d, 0xbc6ffb76ff94f92a, 0xdaa66d2c7ddf743f, 0x78dde6e5fd29f054 } },
    { "vpxor ymm0, ymm1, [rbx]", 4, 0, "\xc5\xf5\xef\x03",
      { 0x962b481e342401b0, 0x9625486a35ec01f0, 0x9a2539f6347c01d0, 0x9ee7c8763ce401b0 } },
    { "paddb xmm0, [rbx]", 4, 0, "\x66\x0f\xfc\x03",
      { 0xb70f8854cc04d922, 0xf47d7cc6cb98d14c, 0xdaa66d2c7ddf743f, 0x78dde6e5fd29f054 } },
    { "vpaddw ymm0, ymm1, [rbx]", 4, 0, "\xc5\xf5\xfd\x03",
      { 0xa9cb5720c758b9ca, 0xe6394a92c5ecb1f4, 0x22a93e06c482aa1e, 0x5f173178c316a248 } },
    { "vpaddd ymm0, ymm1, [rbx]", 4, 0, "\xc5\xf5\xfe\x03",
      { 0xa9cb5720c758b9ca, 0xe63a4a92c5edb1f4, 0x22a93e06c482aa1e, 0x5f183178c317a248 } },
    { "vpaddq ymm0, ymm1, [rbx]", 4, 0, "\xc5\xf5\xd4\x03",
      { 0xa9cb5720c758b9ca, 0xe63a4a93c5edb1f4, 0x22a93e06c482aa1e, 0x5f183179c317a248 } },
    { "vpsubb ymm0, ymm1, [rbx]", 4, 0, "\xc5\xf5\xf8\x03",
      { 0x761b38ea2ce4ffb0, 0x761b38ea2be4ffb0, 0x761b37ea2ce4ffb0, 0x761b38ea2ce4ffb0 } },
    { "psubq xmm0, [rbx]", 4, 0, "\x66\x0f\xfb\x03",
      { 0x845f6a1e31901f08, 0x845f6a1e31901f08, 0xdaa66d2c7ddf743f, 0x78dde6e5fd29f054 } },
    { "paddsb xmm0, [rbx]", 4, 0, "\x66\x0f\xec\x03",
      { 0xb70f7f807f047f22, 0xf47d807fcb98d14c, 0xdaa66d2c7ddf743f, 0x78dde6e5fd29f054 } },
    { "paddusw xmm0, [rbx]", 4, 0, "\x66\x0f\xdd\x03",
      { 0xb80f8954cd04d922, 0xf47dffffffffffff, 0xdaa66d2c7ddf743f, 0x78dde6e5fd29f054 } },
    { "psubsw xmm0, [rbx]", 4, 0, "\x66\x0f\xe9\x03",
      { 0x845f6a1e31901f08, 0x7fff6a1e31901f08, 0xdaa66d2c7ddf743f, 0x78dde6e5fd29f054 } },
    { "vpsubusb ymm0, ymm1, [rbx]", 4, 0, "\xc5\xf5\xd8\x03",
      { 0x761b38002c0000b0, 0x001b38002be400b0, 0x761b37ea2c0000b0, 0x001b38002c0000b0 } },
    { "vpcmpeqb ymm0, ymm1, [rbx]", 4, 0, "\xc5\xf5\x74\x03",
      { 0x0000000000000000, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000 } },
    { "vpcmpgtw ymm0, ymm1, [rbx]", 4, 0, "\xc5\xf5\x65\x03",
      { 0x0000ffffffff0000, 0xffffffffffff0000, 0x0000ffffffff0000, 0xffff0000ffff0000 } },
    { "pcmpgtq xmm0, [rbx]", 5, 0, "\x66\x0f\x38\x37\x03",
      { 0x0000000000000000, 0xffffffffffffffff, 0xdaa66d2c7ddf743f, 0x78dde6e5fd29f054 } },
    { "vpminsb ymm0, ymm1, [rbx]", 5, 0, "\xc4\xe2\x75\x38\x03",
      { 0x8fd80f854d9e5cbd, 0xb80f893ecde8d8d2, 0xcc4703f84c3354e7, 0xf499b4b1cb99d0fc } },
    { "vpminud ymm0, ymm1, [rbx]", 5, 0, "\xc4\xe2\x75\x3b\x03",
      { 0x19d80f9b4dba5d0d, 0x2e2ac13ecd04d922, 0x5647030e4c4f5537, 0x6a99b4b1cb99d14c } },
    { "vpmaxsw ymm0, ymm1, [rbx]", 4, 0, "\xc5\xf5\xee\x03",
      { 0x19d84785799e5d0d, 0x2e2ac13ef8e8d922, 0x56473af878335537, 0x6a997cc7f77dd14c } },
    { "vpmaxub ymm0, ymm1, [rbx]", 4, 0, "\xc5\xf5\xde\x03",
      { 0x8ff3479b79ba5dbd, 0xb82ac154f8e8d9d2, 0xcc623af8784f55e7, 0xf499b4c7f799d1fc } },
    { "vpabsb ymm0, [rbx]", 5, 0, "\xc4\xe2\x7d\x1c\x03",
      { 0x19280f654d465d0d, 0x480f775433042722, 0x5647030e4c4f5537, 0x0c7e7c3935672f4c } },
    { "vpabsd ymm0, [rbx]", 5, 0, "\xc4\xe2\x7d\x1e\x03",
      { 0x19d80f9b4dba5d0d, 0x47f076ac32fb26de, 0x5647030e4c4f5537, 0x0b81833934662eb4 } },
    { "vpsignw ymm0, ymm1, [rbx]", 5, 0, "\xc4\xe2\x75\x09\x03",
      { 0x8ff34785799e5cbd, 0xd1d63ec20718272e, 0xcc623af8783354e7, 0x9567b4b108832f04 } },
    { "vpavgb ymm0, ymm1, [rbx]", 4, 0, "\xc5\xf5\xe0\x03",
      { 0x54e62b9063ac5d65, 0x731da549e376d97a, 0x91551f836241558f, 0xaf8c98bce18bd1a4 } },
    { "vpmullw ymm0, ymm1, [rbx]", 4, 0, "\xc5\xf5\xd5\x03",
      { 0x30081887e2cc5e99, 0xe4769658aba0cde4, 0x9b2e21903bbdf0a1, 0x4b4e319708b5c6d0 } },
    { "vpmulld ymm0, ymm1, [rbx]", 5, 0, "\xc4\xe2\x75\x40\x03",
      { 0xbeb51887ef0d5e99, 0xea139658fbfecde4, 0xfed82190a580f0a1, 0xf41f3197eb93c6d0 } },
    { "vpmulhw ymm0, ymm1, [rbx]", 4, 0, "\xc5\xf5\xe5\x03",
      { 0xf4b0045c24ec21b5, 0xf3061d17016905f2, 0xee9a00b423d41c42, 0xfb35db4b01be0893 } },
    { "vpmulhuw ymm0, ymm1, [rbx]", 4, 0, "\xc5\xf5\xe4\x03",
      { 0x0e88045c24ec21b5, 0x213067a9c755b7e6, 0x44e100b423d41c42, 0x65ce5812c4d4aadb } },
    { "vpmulhrsw ymm0, ymm1, [rbx]", 5, 0, "\xc4\xe2\x75\x0b\x03",
      { 0xe96008b849da436b, 0xe60e3a2f02d30be6, 0xdd35016847a83886, 0xf66bb696037c1128 } },
    { "vpmuldq ymm0, ymm1, [rbx]", 5, 0, "\xc4\xe2\x75\x28\x03",
      { 0x24ed2b28ef0d5e99, 0x01697a6dfbfecde4, 0x23d47d0ea580f0a1, 0x01bdd6f8eb93c6d0 } },
    { "vpmuludq ymm0, ymm1, [rbx]", 4, 0, "\xc5\xf5\xf4\x03",
      { 0x24ed2b28ef0d5e99, 0xc7572c61fbfecde4, 0x23d47d0ea580f0a1, 0xc4d57940eb93c6d0 } },
    { "vpsllvd ymm0, ymm1, [rbx]", 5, 0, "\xc4\xe2\x75\x47\x03",
      { 0x0000000000000000, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000 } },
    { "vpsrlvq ymm0, ymm1, [rbx]", 5, 0, "\xc4\xe2\xf5\x45\x03",
      { 0x0000000000000000, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000 } },
    { "vpsravd ymm0, ymm1, [rbx]", 5, 0, "\xc4\xe2\x75\x46\x03",
      { 0xffffffff00000000, 0x00000000ffffffff, 0xffffffff00000000, 0x00000000ffffffff } },
    { "vpmaddwd ymm0, ymm1, [rbx]", 4, 0, "\xc5\xf5\xf5\x03",
      { 0xf90c488f46a24165, 0x101e7ace075c7984, 0xef4ebcbe40172c5e, 0xd6807ce50a51cf85 } },
    { "vpmaddubsw ymm0, ymm1, [rbx]", 5, 0, "\xc4\xe2\x75\x04\x03",
      { 0xe7ffcfb0f9312b05, 0xf586baa1d238fafc, 0x5fb60e3e335d4d85, 0x46562fc79a9224a0 } },
    { "vpsadbw ymm0, ymm1, [rbx]", 4, 0, "\xc5\xf5\xf6\x03",
      { 0x00000000000001d8, 0x00000000000002b3, 0x00000000000002ab, 0x00000000000001ec } },
    { "vmpsadbw ymm0, ymm1, [rbx], 0x2e", 6, 0, "\xc4\xe3\x75\x42\x03\x2e",
      { 0x016301f400cf0222, 0x02d1012b024801c0, 0x0267024c01b601b2, 0x0247022b02470292 } },
    { "phminposuw xmm0, [rbx]", 5, 0, "\x66\x0f\x38\x41\x03",
      { 0x0000000000020f9b, 0x0000000000000000, 0xdaa66d2c7ddf743f, 0x78dde6e5fd29f054 } },
    { "vphaddw ymm0, ymm1, [rbx]", 5, 0, "\xc4\xe2\x75\x01\x03",
      { 0xef68d1bad778d65b, 0x4163a6262973aac7, 0x1f4ac879075acd1a, 0x71459ce55955a186 } },
    { "vphaddsw ymm0, ymm1, [rbx]", 5, 0, "\xc4\xe2\x75\x03\x03",
      { 0xef68d1bad7787fff, 0x8000a62629737fff, 0x1f4ac879075a7fff, 0x71459ce559557fff } },
    { "vphsubd ymm0, ymm1, [rbx]", 5, 0, "\xc4\xe2\x75\x06\x03",
      { 0xcabe1794e9ab1538, 0x14f54fce33e24d72, 0x8ce41c4babd119ef, 0xd71b5485f6085229 } },
    { "vpacksswb ymm0, ymm1, [rbx]", 4, 0, "\xc5\xf5\x63\x03",
      { 0x7f808080807f7f7f, 0x808080807f7f7f7f, 0x7f808080807f7f7f, 0x807f80807f7f7f7f } },
    { "vpackusdw ymm0, ymm1, [rbx]", 5, 0, "\xc4\xe2\x75\x2b\x03",
      { 0xffff00000000ffff, 0x00000000ffffffff, 0xffff00000000ffff, 0x00000000ffffffff } },
    { "vpmovsxbw ymm0, [rbx]", 5, 0, "\xc4\xe2\x7d\x20\x03",
      { 0x004dffba005d000d, 0x0019ffd8000fff9b, 0xffcd0004ffd90022, 0xffb8000fff890054 } },
    { "vpmovsxbq ymm0, [rbx]", 5, 0, "\xc4\xe2\x7d\x22\x03",
      { 0x000000000000000d, 0x000000000000005d, 0xffffffffffffffba, 0x000000000000004d } },
    { "vpmovzxwd ymm0, [rbx]", 5, 0, "\xc4\xe2\x7d\x33\x03",
      { 0x00004dba00005d0d, 0x000019d800000f9b, 0x0000cd040000d922, 0x0000b80f00008954 } },
    { "vpunpcklbw ymm0, ymm1, [rbx]", 4, 0, "\xc5\xf5\x60\x03",
      { 0x4d79ba9e5d5c0dbd, 0x198fd8f30f479b85, 0x4c784f33555437e7, 0x56cc4762033a0ef8 } },
    { "vpunpckhwd ymm0, ymm1, [rbx]", 4, 0, "\xc5\xf5\x69\x03",
      { 0xcd04f8e8d922d8d2, 0xb80f2e2a8954c13e, 0xcb99f77dd14cd0fc, 0xf47e6a997cc7b4b1 } },
    { "vunpcklps ymm0, ymm1, [rbx]", 4, 0, "\xc5\xf4\x14\x03",
      { 0x4dba5d0d799e5cbd, 0x19d80f9b8ff34785, 0x4c4f5537783354e7, 0x5647030ecc623af8 } },
    { "vunpckhpd ymm0, ymm1, [rbx]", 4, 0, "\xc5\xf5\x15\x03",
      { 0x2e2ac13ef8e8d8d2, 0xb80f8954cd04d922, 0x6a99b4b1f77dd0fc, 0xf47e7cc7cb99d14c } },
    { "vpshufb ymm0, ymm1, [rbx]", 5, 0, "\xc4\xe2\x75\x00\x03",
      { 0xd8002e00c100c1c1, 0x002e00850085009e, 0x62cc7899b16a3acc, 0x0099b100000000b1 } },
    { "vpshufd ymm0, [rbx], 0x1b", 5, 0, "\xc5\xfd\x70\x03\x1b",
      { 0xcd04d922b80f8954, 0x4dba5d0d19d80f9b, 0xcb99d14cf47e7cc7, 0x4c4f55375647030e } },
    { "vpshuflw ymm0, [rbx], 0x93", 5, 0, "\xc5\xff\x70\x03\x93",
      { 0x0f9b4dba5d0d19d8, 0xb80f8954cd04d922, 0x030e4c4f55375647, 0xf47e7cc7cb99d14c } },
    { "vpshufhw ymm0, [rbx], 0x93", 5, 0, "\xc5\xfe\x70\x03\x93",
      { 0x19d80f9b4dba5d0d, 0x8954cd04d922b80f, 0x5647030e4c4f5537, 0x7cc7cb99d14cf47e } },
    { "vshufps ymm0, ymm1, [rbx], 0xc6", 5, 0, "\xc5\xf4\xc6\x03\xc6",
      { 0x8ff34785f8e8d8d2, 0xb80f89544dba5d0d, 0xcc623af8f77dd0fc, 0xf47e7cc74c4f5537 } },
    { "vshufpd ymm0, ymm1, [rbx], 0x6", 5, 0, "\xc5\xf5\xc6\x03\x06",
      { 0x8ff34785799e5cbd, 0xb80f8954cd04d922, 0x6a99b4b1f77dd0fc, 0x5647030e4c4f5537 } },
    { "vpermilps ymm0, [rbx], 0x39", 6, 0, "\xc4\xe3\x7d\x04\x03\x39",
      { 0xcd04d92219d80f9b, 0x4dba5d0db80f8954, 0xcb99d14c5647030e, 0x4c4f5537f47e7cc7 } },
    { "vpermilpd ymm0, ymm1, [rbx]", 5, 0, "\xc4\xe2\x75\x0d\x03",
      { 0x8ff34785799e5cbd, 0x2e2ac13ef8e8d8d2, 0x6a99b4b1f77dd0fc, 0xcc623af8783354e7 } },
    { "vpermq ymm0, [rbx], 0x4e", 6, 0, "\xc4\xe3\xfd\x00\x03\x4e",
      { 0x5647030e4c4f5537, 0xf47e7cc7cb99d14c, 0x19d80f9b4dba5d0d, 0xb80f8954cd04d922 } },
    { "vpermd ymm0, ymm1, [rbx]", 5, 0, "\xc4\xe2\x75\x36\x03",
      { 0x5647030e5647030e, 0xcb99d14ccd04d922, 0x4dba5d0df47e7cc7, 0x19d80f9b4c4f5537 } },
    { "vperm2i128 ymm0, ymm1, [rbx], 0x21", 6, 0, "\xc4\xe3\x75\x46\x03\x21",
      { 0xcc623af8783354e7, 0x6a99b4b1f77dd0fc, 0x19d80f9b4dba5d0d, 0xb80f8954cd04d922 } },
    { "vpalignr ymm0, ymm1, [rbx], 5", 6, 0, "\xc4\xe3\x75\x0f\x03\x05",
      { 0x54cd04d92219d80f, 0x85799e5cbdb80f89, 0xc7cb99d14c564703, 0xf8783354e7f47e7c } },
    { "vpblendw ymm0, ymm1, [rbx], 0x5a", 6, 0, "\xc4\xe3\x75\x0e\x03\x5a",
      { 0x19d847854dba5cbd, 0x2e2a8954f8e8d922, 0x56473af84c4f54e7, 0x6a997cc7f77dd14c } },
    { "vpblendd ymm0, ymm1, [rbx], 0x96", 6, 0, "\xc4\xe3\x75\x02\x03\x96",
      { 0x19d80f9b799e5cbd, 0x2e2ac13ecd04d922, 0xcc623af84c4f5537, 0xf47e7cc7f77dd0fc } },
    { "vpblendvb ymm0, ymm1, [rbx], ymm2", 6, 0, "\xc4\xe3\x75\x4c\x03\x20",
      { 0x19d8478579ba5cbd, 0x2e0f893ecde8d9d2, 0x56623a0e784f5437, 0x6a997cb1cb99d14c } },
    { "pblendvb xmm1, [rbx], xmm0", 5, 1, "\x66\x0f\x38\x10\x0b",
      { 0x19f3479b799e5cbd, 0x2e2a893ecd04d9d2, 0xcc623af8783354e7, 0x6a99b4b1f77dd0fc } },
    { "vmaskmovps ymm0, ymm1, [rbx]", 5, 0, "\xc4\xe2\x75\x2c\x03",
      { 0x19d80f9b00000000, 0x00000000cd04d922, 0x5647030e00000000, 0x00000000cb99d14c } },
    { "vpmaskmovq ymm0, ymm1, [rbx]", 5, 0, "\xc4\xe2\xf5\x8c\x03",
      { 0x19d80f9b4dba5d0d, 0x0000000000000000, 0x5647030e4c4f5537, 0x0000000000000000 } },
    { "aesenc xmm0, [rbx]", 5, 0, "\x66\x0f\x38\xdc\x03",
      { 0x8287b3b9ff37feb7, 0x9fa6e7c534464c39, 0xdaa66d2c7ddf743f, 0x78dde6e5fd29f054 } },
    { "aesenclast xmm0, [rbx]", 5, 0, "\x66\x0f\x38\xdd\x03",
      { 0xcb474ecda698eb54, 0x03959914c6d2d4c7, 0xdaa66d2c7ddf743f, 0x78dde6e5fd29f054 } },
    { "aesdec xmm0, [rbx]", 5, 0, "\x66\x0f\x38\xde\x03",
      { 0xf326d5c6d72cb481, 0x2a9fdd243d60fd99, 0xdaa66d2c7ddf743f, 0x78dde6e5fd29f054 } },
    { "aesdeclast xmm0, [rbx]", 5, 0, "\x66\x0f\x38\xdf\x03",
      { 0x159d0e40925d2322, 0xd3bd684aa05876b7, 0xdaa66d2c7ddf743f, 0x78dde6e5fd29f054 } },
    { "aesimc xmm0, [rbx]", 5, 0, "\x66\x0f\x38\xdb\x03",
      { 0x959d2974654d20af, 0xa81a4d95e1ac91ee, 0xdaa66d2c7ddf743f, 0x78dde6e5fd29f054 } },
    { "aeskeygenassist xmm0, [rbx], 0x36", 6, 0, "\x66\x0f\x3a\xdf\x03\x36",
      { 0x14d46140d4617614, 0x206c76916c76a720, 0xdaa66d2c7ddf743f, 0x78dde6e5fd29f054 } },
    { "pclmulqdq xmm0, [rbx], 0x10", 6, 0, "\x66\x0f\x3a\x44\x03\x10",
      { 0x42b2a455d1dd578a, 0x51c8ffda2538f335, 0xdaa66d2c7ddf743f, 0x78dde6e5fd29f054 } },
    { "gf2p8mulb xmm0, [rbx]", 5, 0, "\x66\x0f\x38\xcf\x03",
      { 0x214f910fbf87e9e9, 0xfe4c152d8066cc63, 0xdaa66d2c7ddf743f, 0x78dde6e5fd29f054 } },
    { "gf2p8affineqb xmm0, [rbx], 0x63", 6, 0, "\x66\x0f\x3a\xce\x03\x63",
      { 0x250d5820a0e25101, 0xc65572714945f137, 0xdaa66d2c7ddf743f, 0x78dde6e5fd29f054 } },
    { "gf2p8affineinvqb xmm0, [rbx], 0x63", 6, 0, "\x66\x0f\x3a\xcf\x03\x63",
      { 0x6b1d7a4e6567b44d, 0x1db491916d701c28, 0xdaa66d2c7ddf743f, 0x78dde6e5fd29f054 } },
    { "sha1nexte xmm0, [rbx]", 4, 0, "\x0f\x38\xc8\x03",
      { 0x19d80f9b4dba5d0d, 0x472b4630cd04d922, 0xdaa66d2c7ddf743f, 0x78dde6e5fd29f054 } },
    { "sha1msg1 xmm0, [rbx]", 4, 0, "\x0f\x38\xc9\x03",
      { 0x2638f0edb24ea537, 0xa2598acb81de843f, 0xdaa66d2c7ddf743f, 0x78dde6e5fd29f054 } },
    { "sha1msg2 xmm0, [rbx]", 4, 0, "\x0f\x38\xca\x03",
      { 0xa71a49693b3c5169, 0xe2d454a1ce99ef63, 0xdaa66d2c7ddf743f, 0x78dde6e5fd29f054 } },
    { "sha1rnds4 xmm0, [rbx], 1", 5, 0, "\x0f\x3a\xcc\x03\x01",
      { 0xdbd8837cb52c7830, 0xb8e1feb5f73a9576, 0xdaa66d2c7ddf743f, 0x78dde6e5fd29f054 } },
    { "sha256msg1 xmm0, [rbx]", 4, 0, "\x0f\x38\xcc\x03",
      { 0x125c83093ddf625e, 0xc0de5fe75dbe84bd, 0xdaa66d2c7ddf743f, 0x78dde6e5fd29f054 } },
    { "sha256msg2 xmm0, [rbx]", 4, 0, "\x0f\x38\xcd\x03",
      { 0xd3e6429d76d0fa29, 0x25989d9160e119b6, 0xdaa66d2c7ddf743f, 0x78dde6e5fd29f054 } },
    { "sha256rnds2 xmm1, [rbx], xmm0", 4, 1, "\x0f\x38\xcb\x0b",
      { 0xed1631c2f4909564, 0x5ad571f70239f691, 0xcc623af8783354e7, 0x6a99b4b1f77dd0fc } },
    { "pcmpistrm xmm1, [rbx], 0x48", 6, 0, "\x66\x0f\x3a\x62\x0b\x48",
      { 0x0000000000000000, 0x0000000000000000, 0xdaa66d2c7ddf743f, 0x78dde6e5fd29f054 } },
    { "pcmpestrm xmm1, [rbx], 0x0c", 6, 0, "\x66\x0f\x3a\x60\x0b\x0c",
      { 0x0000000000000000, 0x0000000000000000, 0xdaa66d2c7ddf743f, 0x78dde6e5fd29f054 } },
    { "vmovdqu8 ymm0{k1}, [rbx]", 6, 0, "\x62\xf1\x7f\x29\x6f\x03",
      { 0x19d80f9b4dba7c0d, 0x3c0f8954fe04d92a, 0x56a6030e4cdf7437, 0xf4dde6c7fd99d154 } },
    { "vmovdqu16 ymm0{k1}{z}, [rbx]", 6, 0, "\x62\xf1\xff\xa9\x6f\x03",
      { 0x19d80f9b00005d0d, 0xb80f8954cd04d922, 0x0000030e4c4f0000, 0x00007cc7cb99d14c } },
    { "vpaddd ymm0{k1}, ymm1, dword ptr [rbx]{1to8}", 6, 0, "\x62\xf1\x75\x39\xfe\x03",
      { 0x9e3779b9c758b9ca, 0x7be51e4b46a335df, 0x1a1c9805c5edb1f4, 0xb85411be45382e09 } },
    { "vpandnq ymm0{k1}{z}, ymm1, [rbx]", 6, 0, "\x62\xf1\xf5\xa9\xdf\x03",
      { 0x1008081a04200100, 0x0000000000000000, 0x12050106044c0110, 0x9466484608800100 } },
    { "vpternlogd ymm0, ymm1, [rbx], 0xca", 7, 0, "\x62\xf3\x75\x28\x25\x03\xca",
      { 0x8ffb478379ba5d1d, 0xac2bc936f980d902, 0xcc632a2a78135527, 0xecbbbca3f7b9d15c } },
    { "vprord ymm0, [rbx], 7", 7, 0, "\x62\xf1\x7d\x28\x72\x03\x07",
      { 0x3633b01f1a9b74ba, 0xa9701f12459a09b2, 0x1cac8e066e989eaa, 0x8fe8fcf9999733a2 } },
    { "vpsraq ymm0, ymm1, xmmword ptr [rbx]", 6, 0, "\x62\xf1\xf5\x28\xe2\x03",
      { 0xffffffffffffffff, 0x0000000000000000, 0xffffffffffffffff, 0x0000000000000000 } },
    { "vpermi2w ymm0, ymm1, [rbx]", 6, 0, "\x62\xf2\xf5\x28\x75\x03",
      { 0xb80f4c4f3af8cd04, 0xb4b10f9bd9223af8, 0xc13ed0fcf47ef47e, 0xcb99f8e87833d922 } },
    { "vpermt2d ymm0, ymm1, [rbx]", 6, 0, "\x62\xf2\x75\x28\x7e\x03",
      { 0xdaa66d2c5647030e, 0xcb99d14cfe94f82a, 0x4dba5d0d78dde6e5, 0x9e3779b94c4f5537 } },
    { "valignd ymm0, ymm1, [rbx], 3", 7, 0, "\x62\xf3\x75\x28\x03\x03\x03",
      { 0x4c4f5537b80f8954, 0xcb99d14c5647030e, 0x799e5cbdf47e7cc7, 0xf8e8d8d28ff34785 } },
    { "vshufi64x2 ymm0, ymm1, [rbx], 1", 7, 0, "\x62\xf3\xf5\x28\x43\x03\x01",
      { 0xcc623af8783354e7, 0x6a99b4b1f77dd0fc, 0x19d80f9b4dba5d0d, 0xb80f8954cd04d922 } },
    { "vpexpandd ymm0{k1}{z}, [rbx]", 6, 0, "\x62\xf2\x7d\xa9\x89\x03",
      { 0x000000004dba5d0d, 0xcd04d92219d80f9b, 0x4c4f5537b80f8954, 0xcb99d14c5647030e } },
    { "vpblendmb ymm0{k1}, ymm1, [rbx]", 6, 0, "\x62\xf2\x75\x29\x66\x03",
      { 0x19d80f9b4dba5c0d, 0x2e0f8954f804d9d2, 0x5662030e4c335437, 0xf499b4c7f799d1fc } },
    { "vpmadd52luq ymm0, ymm1, [rbx]", 6, 0, "\x62\xf2\xf5\x28\xb4\x03",
      { 0x9e45d1126e57daae, 0x3c76def8fa93c60e, 0xdab04725236064e0, 0x78e20996e8bdb724 } },
    { "vpmadd52huq ymm0, ymm1, [rbx]", 6, 0, "\x62\xf2\xf5\x28\xb5\x03",
      { 0x9e3920af1e071df3, 0x3c7964edb37c610e, 0xdaa767663f490777, 0x78e6b0b34bdd6d41 } },
    { "vpdpbusds ymm0, ymm1, [rbx]", 6, 0, "\x62\xf2\x75\x28\x51\x03",
      { 0x9e3731687f4aa04b, 0x3c6ea399fe94c55e, 0xdaa6db207ddff521, 0x78de5d02fd29af86 } },
    { "vpdpwssd ymm0, ymm1, [rbx]", 6, 0, "\x62\xf2\x75\x28\x52\x03",
      { 0x9743c248c5ecbd7a, 0x4c8d6e4005f171ae, 0xc9f529eabdf6a09d, 0x4f5e63ca077bbfd9 } },
    { "vpopcntw ymm0, [rbx]", 6, 0, "\x62\xf2\xfd\x28\x54\x03",
      { 0x0007000900090008, 0x0008000600060007, 0x0008000500080009, 0x000b000a00090007 } },
    { "vplzcntd ymm0, [rbx]", 6, 0, "\x62\xf2\x7d\x28\x44\x03",
      { 0x0000000300000001, 0x0000000000000000, 0x0000000100000001, 0x0000000000000000 } },
    { "vpmullq ymm0, ymm1, [rbx]", 6, 0, "\x62\xf2\xf5\x28\x40\x03",
      { 0x6bae5758ef0d5e99, 0xbe87eb85fbfecde4, 0xcfe9d9f8a580f0a1, 0x9fd422b0eb93c6d0 } },
};
/* clang-format on */

TEST(exec_vec, each_operation_gives_what_a_processor_gave) /* XE-1 XE-26 */
{
    for (unsigned i = 0; i < sizeof given / sizeof given[0]; i++) {
        const struct given *g = &given[i];

        open_vectors();
        CHECK_EQ(exec_lab_run(&lab, g->bytes, g->count), SVMC_OK, "%s", g->name);
        CHECK_EQ(lab.out.action, SVMC_EXEC_DONE, "%s", g->name);
        for (unsigned j = 0; j < 4; j++)
            CHECK_EQ(get(lab.vector[g->to] + 8 * j), g->want[j], "%s, word %u", g->name, j);
        CHECK_EQ(lab.regs.rip, 0x1000u + g->count, "%s", g->name);
    }
}

TEST(exec_vec, stores_write_their_bytes_and_no_others)
{
    static const struct {
        const char *name;
        uint8_t count, bytes[8], from, n; /* bytes [from, from + n) of register 1 */
    } rows[] = {
        { "movups", 3, { 0x0f, 0x11, 0x0b }, 0, 16 },
        { "movss", 4, { 0xf3, 0x0f, 0x11, 0x0b }, 0, 4 },
        { "movhps", 3, { 0x0f, 0x17, 0x0b }, 8, 8 },
        { "movlpd", 4, { 0x66, 0x0f, 0x13, 0x0b }, 0, 8 },
        { "movd", 4, { 0x66, 0x0f, 0x7e, 0x0b }, 0, 4 },
        { "movq", 4, { 0x66, 0x0f, 0xd6, 0x0b }, 0, 8 },
        { "pextrb 5", 6, { 0x66, 0x0f, 0x3a, 0x14, 0x0b, 0x05 }, 5, 1 },
        { "pextrw 3", 6, { 0x66, 0x0f, 0x3a, 0x15, 0x0b, 0x03 }, 6, 2 },
        { "extractps 2", 6, { 0x66, 0x0f, 0x3a, 0x17, 0x0b, 0x02 }, 8, 4 },
        { "vmovdqu ymm", 4, { 0xc5, 0xfe, 0x7f, 0x0b }, 0, 32 },
        { "vextracti128 1", 6, { 0xc4, 0xe3, 0x7d, 0x39, 0x0b, 0x01 }, 16, 16 },
        { "vmovdqu64 zmm", 6, { 0x62, 0xf1, 0xfe, 0x48, 0x7f, 0x0b }, 0, 64 },
    };
    uint8_t want[128];

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        open_vectors();
        memcpy(want, exec_lab_at(&lab, DATA), sizeof want);
        memcpy(want, lab.vector[1] + rows[i].from, rows[i].n);
        CHECK_EQ(exec_lab_run(&lab, rows[i].bytes, rows[i].count), SVMC_OK, "%s", rows[i].name);
        CHECK_EQ(lab.out.action, SVMC_EXEC_DONE, "%s", rows[i].name);
        CHECK(memcmp(want, exec_lab_at(&lab, DATA), sizeof want) == 0, "%s", rows[i].name);
    }
}

TEST(exec_vec, flags_and_indices_come_from_vectors)
{
    open_vectors(); /* PTEST: nothing in common; then all of it */
    memset(lab.vector[0], 0x0f, 16);
    memset(exec_lab_at(&lab, DATA), 0xf0, 16);
    CHECK_EQ(RUN(0x66, 0x0f, 0x38, 0x17, 0x03), SVMC_OK);
    CHECK_EQ(lab.regs.rflags & 0x8d5, 0x40);
    memset(exec_lab_at(&lab, DATA), 0x0f, 16);
    CHECK_EQ(RUN(0x66, 0x0f, 0x38, 0x17, 0x03), SVMC_OK);
    CHECK_EQ(lab.regs.rflags & 0x8d5, 1);
    /* PCMPISTRI, equal any: the first of "xyz" in "abcz" */
    memcpy(lab.vector[0], "xyz\0............", 16);
    memcpy(exec_lab_at(&lab, DATA), "abcz\0...........", 16);
    CHECK_EQ(RUN(0x66, 0x0f, 0x3a, 0x63, 0x03, 0x00), SVMC_OK);
    CHECK_EQ(lab.regs.general[SVMC_REG_RCX], 3);
    CHECK_EQ(lab.regs.rflags & 0x8d5, 0xc1); /* found; both end */
    /* PCMPESTRI, equal ordered, words: "bc" stands at word 1 of "abcd" */
    lab.regs.general[SVMC_REG_RAX] = 2;
    lab.regs.general[SVMC_REG_RDX] = (uint64_t)-4;
    memcpy(lab.vector[0], "b\0c\0............", 16);
    memcpy(exec_lab_at(&lab, DATA), "a\0b\0c\0d\0........", 16);
    CHECK_EQ(RUN(0x66, 0x0f, 0x3a, 0x61, 0x03, 0x0d), SVMC_OK);
    CHECK_EQ(lab.regs.general[SVMC_REG_RCX], 1);
}

/* ---- rules ---- */

TEST(exec_vec, what_is_switched_off_is_refused) /* XE-25 */
{
    static const struct {
        const char *name;
        uint64_t cr0, cr4, xcr0;
        uint16_t fsw;
        uint8_t mmx, sse, vex, evex; /* vectors of the faults; 0: done */
    } rows[] = {
        { "all on", 0x80000001, 0x40600, 0xe7, 0, 0, 0, 0, 0 },
        { "EM", 0x80000005, 0x40600, 0xe7, 0, 6, 6, 0, 0 },
        { "TS", 0x80000009, 0x40600, 0xe7, 0, 7, 7, 7, 7 },
        { "EM and TS", 0x8000000d, 0x40600, 0xe7, 0, 6, 6, 7, 7 },
        { "no OSFXSR", 0x80000001, 0x40400, 0xe7, 0, 0, 6, 0, 0 },
        { "no OSXSAVE", 0x80000001, 0x600, 0xe7, 0, 0, 0, 6, 6 },
        { "no AVX", 0x80000001, 0x40600, 0x3, 0, 0, 0, 6, 6 },
        { "AVX without SSE", 0x80000001, 0x40600, 0x5, 0, 0, 0, 6, 6 },
        { "no AVX-512", 0x80000001, 0x40600, 0x7, 0, 0, 0, 0, 6 },
        { "no upper registers", 0x80000001, 0x40600, 0x67, 0, 0, 0, 0, 6 },
        { "x87 exception", 0x80000001, 0x40600, 0xe7, 0x80, 16, 0, 0, 0 },
    };
    static const uint8_t codes[4][6] = { { 0x0f, 0xfe, 0x0b },                     /* PADDD mm1 */
                                         { 0x66, 0x0f, 0xfe, 0x0b },               /* xmm1 */
                                         { 0xc5, 0xf1, 0xfe, 0x0b },               /* VPADDD */
                                         { 0x62, 0xf1, 0x75, 0x08, 0xfe, 0x0b } }; /* EVEX */

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0] * 4; i++) {
        unsigned k = i % 4;
        uint8_t want = k == 0   ? rows[i / 4].mmx
                       : k == 1 ? rows[i / 4].sse
                       : k == 2 ? rows[i / 4].vex
                                : rows[i / 4].evex;

        open_vectors();
        lab.regs.cr0 = rows[i / 4].cr0;
        lab.regs.cr4 = rows[i / 4].cr4;
        lab.regs.xcr0 = rows[i / 4].xcr0;
        lab.regs.fsw = rows[i / 4].fsw;
        CHECK_EQ(exec_lab_run(&lab, codes[k], k == 3 ? 6 : k == 0 ? 3 : 4), SVMC_OK);
        CHECK_EQ(lab.out.action, want ? SVMC_EXEC_FAULT : SVMC_EXEC_DONE, "%s, %u",
                 rows[i / 4].name, k);
        CHECK_EQ(lab.out.fault.vector, want, "%s, %u", rows[i / 4].name, k);
        if (want)
            CHECK_EQ(lab.logged, 0, "%s, %u", rows[i / 4].name, k);
    }
}

TEST(exec_vec, real_mode_has_no_vex) /* XE-25 */
{
    exec_lab_open(&lab, SVMC_ISA_X86_16);
    lab.regs.general[SVMC_REG_RBX] = 0x100;
    lab.regs.segment[SVMC_SEG_DS].base = LAB_LINEAR;
    lab.regs.cr0 = 0;
    CHECK_EQ(RUN(0xc5, 0xf1, 0xfe, 0x0f), SVMC_OK); /* VPADDD xmm1, xmm1, [bx] */
    check_fault(6, "real mode");
    lab.regs.cr0 = 1;
    lab.regs.rflags |= 0x20000;
    CHECK_EQ(RUN(0xc5, 0xf1, 0xfe, 0x0f), SVMC_OK);
    check_fault(6, "virtual-8086 mode");
    CHECK_EQ(RUN(0x66, 0x0f, 0xfe, 0x0f), SVMC_OK); /* PADDD */
    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
}

TEST(exec_vec, without_callbacks_or_with_half_of_them_it_is_said) /* XE-25 */
{
    struct svmc_exec_ops ops = exec_lab_ops;

    open_vectors();
    ops.vector_write = NULL;
    CHECK_EQ(svmc_exec_init(&lab.x, &ops, &lab), SVMC_OK);
    CHECK_EQ(RUN(0xf3, 0x0f, 0x6f, 0x03), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_NEEDS_VECTOR);
    ops = exec_lab_ops;
    ops.size = offsetof(struct svmc_exec_ops, vector_write);
    CHECK_EQ(svmc_exec_init(&lab.x, &ops, &lab), SVMC_OK);
    CHECK_EQ(RUN(0xf3, 0x0f, 0x6f, 0x03), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_NEEDS_VECTOR);
    CHECK_EQ(lab.logged, 0);
}

TEST(exec_vec, what_is_above_stays_or_becomes_zero) /* XE-26 */
{
    open_vectors();
    CHECK_EQ(RUN(0x66, 0x0f, 0xfe, 0x0b), SVMC_OK); /* PADDD xmm1 */
    CHECK_EQ(get(lab.vector[1] + 16), word(1, 2));
    CHECK_EQ(RUN(0xc5, 0xf1, 0xfe, 0x0b), SVMC_OK); /* VPADDD xmm1 */
    CHECK_EQ(get(lab.vector[1] + 16), 0);
    CHECK_EQ(get(lab.vector[1] + 56), 0);
    open_vectors();
    lab.regs.xcr0 = 7; /* no ZMM: nothing is said of its upper half */
    CHECK_EQ(RUN(0xc5, 0xf1, 0xfe, 0x0b), SVMC_OK);
    CHECK_EQ(get(lab.vector[1] + 24), 0);
    CHECK_EQ(get(lab.vector[1] + 32), word(1, 4));
}

TEST(exec_vec, mmx_makes_the_stack_of_x87_valid) /* XE-26 */
{
    open_vectors();
    lab.regs.fsw = 0x3d00;
    lab.regs.ftw = 0x21;
    exec_lab_store(&lab, DATA, 8, 0x1122334455667788);
    CHECK_EQ(RUN(0x0f, 0x6f, 0x1b), SVMC_OK); /* MOVQ mm3 */
    CHECK_EQ(get(lab.x87[3]), 0x1122334455667788);
    CHECK_EQ(lab.x87[3][8] & lab.x87[3][9], 0xff);
    CHECK_EQ(lab.regs.fsw, 0x0500);
    CHECK_EQ(lab.regs.ftw, 0xff);
    lab.regs.ftw = 0x21;
    lab.absent[0] = true;
    CHECK_EQ(RUN(0x0f, 0x6f, 0x1b), SVMC_OK);
    check_fault(14, "MOVQ");
    CHECK_EQ(lab.regs.ftw, 0x21);
}

TEST(exec_vec, what_a_mask_leaves_out_is_not_accessed) /* XE-27 */
{
    const uint64_t end = LAB_LINEAR + LAB_PAGE;

    open_vectors();
    lab.absent[1] = true;
    lab.regs.general[SVMC_REG_RBX] = end - 3;
    put(lab.mask[1], 0xfffffffffffffff8 ^ ~(uint64_t)0); /* bytes 0 to 2 */
    exec_lab_store(&lab, end - 3, 3, 0xccbbaa);
    CHECK_EQ(RUN(0x62, 0xf1, 0x7f, 0xc9, 0x6f, 0x03), SVMC_OK); /* VMOVDQU8 zmm0{k1}{z} */
    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
    CHECK_EQ(get(lab.vector[0]), 0xccbbaa);
    CHECK_EQ(get(lab.vector[0] + 8), 0);
    CHECK_EQ(lab.out.accesses, 3); /* mask, memory, register */
    put(lab.mask[1], 0x88);        /* byte 3 is the first of the next page, 7 lies there */
    CHECK_EQ(RUN(0x62, 0xf1, 0x7f, 0x49, 0x7f, 0x03), SVMC_OK); /* VMOVDQU8 [rbx]{k1}, zmm0 */
    check_fault(14, "store");
    CHECK_EQ(lab.out.fault.address, end);
    put(lab.mask[1], 0x80);
    CHECK_EQ(RUN(0x62, 0xf1, 0x7f, 0x49, 0x6f, 0x03), SVMC_OK);
    CHECK_EQ(lab.out.fault.address, end + 4); /* the first byte that is touched */
    put(lab.mask[1], 0);
    lab.regs.general[SVMC_REG_RBX] = 0x8000000000000000; /* not canonical, and nobody asks */
    CHECK_EQ(RUN(0x62, 0xf1, 0x7f, 0x49, 0x6f, 0x03), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
    CHECK_EQ(get(lab.vector[0]), 0xccbbaa); /* merged */
}

TEST(exec_vec, masked_moves_of_avx_touch_what_has_its_sign_set) /* XE-27 */
{
    open_vectors();
    lab.absent[1] = true;
    lab.regs.general[SVMC_REG_RBX] = LAB_LINEAR + LAB_PAGE - 8;
    for (unsigned i = 0; i < 4; i++)
        lab.vector[1][4 * i + 3] = i == 1 ? 0x80 : 0x7f;
    exec_lab_store(&lab, LAB_LINEAR + LAB_PAGE - 8, 8, 0x1111111122222222);
    CHECK_EQ(RUN(0xc4, 0xe2, 0x71, 0x8c, 0x03), SVMC_OK); /* VPMASKMOVD xmm0, xmm1, [rbx] */
    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
    CHECK_EQ(get(lab.vector[0]), 0x1111111100000000);
    CHECK_EQ(get(lab.vector[0] + 8), 0);
    CHECK_EQ(RUN(0xc4, 0xe2, 0x71, 0x8e, 0x13), SVMC_OK); /* [rbx], xmm1, xmm2 */
    CHECK_EQ(exec_lab_load(&lab, LAB_LINEAR + LAB_PAGE - 8, 8),
             (word(2, 0) & 0xffffffff00000000) | 0x22222222);
    lab.vector[1][15] = 0x80;
    CHECK_EQ(RUN(0xc4, 0xe2, 0x71, 0x8c, 0x03), SVMC_OK);
    check_fault(14, "the last of four");
}

TEST(exec_vec, sixteen_bytes_without_vex_are_aligned) /* XE-28 */
{
    static const struct {
        const char *name;
        uint8_t count, bytes[6];
        bool faults;
    } rows[] = {
        { "movaps", 3, { 0x0f, 0x28, 0x03 }, true },
        { "movdqa store", 4, { 0x66, 0x0f, 0x7f, 0x03 }, true },
        { "movntdqa", 5, { 0x66, 0x0f, 0x38, 0x2a, 0x03 }, true },
        { "paddd", 4, { 0x66, 0x0f, 0xfe, 0x03 }, true },
        { "vmovdqa", 4, { 0xc5, 0xf9, 0x6f, 0x03 }, true },
        { "vmovdqa32 zmm", 6, { 0x62, 0xf1, 0x7d, 0x48, 0x6f, 0x03 }, true },
        { "movups", 3, { 0x0f, 0x10, 0x03 }, false },
        { "lddqu", 4, { 0xf2, 0x0f, 0xf0, 0x03 }, false },
        { "pcmpistri", 6, { 0x66, 0x0f, 0x3a, 0x63, 0x03, 0x00 }, false },
        { "vpaddd", 4, { 0xc5, 0xf9, 0xfe, 0x03 }, false },
        { "pmovzxbw", 5, { 0x66, 0x0f, 0x38, 0x30, 0x03 }, false },
        { "paddd mm", 3, { 0x0f, 0xfe, 0x03 }, false },
    };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        open_vectors();
        lab.regs.general[SVMC_REG_RBX] += 8;
        CHECK_EQ(exec_lab_run(&lab, rows[i].bytes, rows[i].count), SVMC_OK, "%s", rows[i].name);
        if (rows[i].faults)
            check_fault(13, rows[i].name);
        else
            CHECK_EQ(lab.out.action, SVMC_EXEC_DONE, "%s", rows[i].name);
    }
    open_vectors(); /* before its page fault */
    lab.absent[0] = true;
    lab.regs.general[SVMC_REG_RBX] += 8;
    CHECK_EQ(RUN(0x0f, 0x28, 0x03), SVMC_OK);
    check_fault(13, "absent");
}

/* Four indices, the third in the page that is not there; the mask has all four. */
static void open_gather(void)
{
    open_vectors();
    lab.absent[2] = true;
    for (unsigned i = 0; i < 4; i++) {
        put(lab.vector[2] + 4 * i, i == 2 ? 2 * LAB_PAGE : 0x40 * i);
        exec_lab_store(&lab, DATA + 0x40 * i, 4, 0xa0a0a0a0 + i);
    }
    memset(lab.vector[1], 0x80, 16);
}

static void check_half_gathered(void)
{
    check_fault(14, "the third");
    CHECK_EQ(lab.out.fault.address, DATA + 2 * LAB_PAGE);
    CHECK_EQ(get(lab.vector[0]), 0xa0a0a0a1a0a0a0a0);
    CHECK_EQ(get(lab.vector[0] + 8), word(0, 1));
    CHECK_EQ(get(lab.vector[1]), 0);
    CHECK_EQ(get(lab.vector[1] + 8), ~(uint64_t)0);
    CHECK_EQ(lab.regs.rip, 0x1000);
}

TEST(exec_vec, a_gather_that_faults_keeps_what_it_has) /* XE-29 */
{
    open_gather();
    CHECK_EQ(RUN(0xc4, 0xe2, 0x71, 0x90, 0x04, 0x13), SVMC_OK); /* VPGATHERDD xmm0,[],xmm1 */
    check_half_gathered();
    lab.absent[2] = false;
    exec_lab_store(&lab, DATA + 2 * LAB_PAGE, 4, 0x12345678);
    CHECK_EQ(RUN(0xc4, 0xe2, 0x71, 0x90, 0x04, 0x13), SVMC_OK); /* and goes on with the rest */
    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
    CHECK_EQ(get(lab.vector[0]), 0xa0a0a0a1a0a0a0a0);
    CHECK_EQ(get(lab.vector[0] + 8), 0xa0a0a0a312345678);
    CHECK_EQ(get(lab.vector[1]) | get(lab.vector[1] + 8), 0);
}

TEST(exec_vec, a_gather_that_faults_and_waits_keeps_it_too) /* XE-6 XE-29 */
{
    for (unsigned k = 1; k < 12; k++) {
        open_gather();
        lab.mode = LAB_BUSY;
        lab.fail_at = k;
        lab.every = k == 11;
        if (lab.every)
            lab.fail_at = 1;
        CHECK_EQ(RUN(0xc4, 0xe2, 0x71, 0x90, 0x04, 0x13), SVMC_OK);
        CHECK_EQ(lab.out.action, SVMC_EXEC_PENDING, "call %u", k);
        CHECK_EQ(exec_lab_go_on(&lab), SVMC_OK, "call %u", k);
        check_half_gathered();
    }
}

TEST(exec_vec, a_scatter_writes_in_order_and_keeps_its_mask) /* XE-29 */
{
    open_gather();
    put(lab.mask[1], 0xff);
    put(lab.vector[2] + 4, 0); /* the first two to one place: the later one stays */
    put(lab.vector[2] + 8, 2 * LAB_PAGE);
    /* VPSCATTERDD [rbx+xmm2]{k1}, xmm3 */
    CHECK_EQ(RUN(0x62, 0xf2, 0x7d, 0x09, 0xa0, 0x1c, 0x13), SVMC_OK);
    check_fault(14, "the third");
    CHECK_EQ(exec_lab_load(&lab, DATA, 4), word(3, 0) >> 32);
    CHECK_EQ(get(lab.mask[1]), 0xfc);
    lab.absent[2] = false;
    CHECK_EQ(RUN(0x62, 0xf2, 0x7d, 0x09, 0xa0, 0x1c, 0x13), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
    CHECK_EQ(exec_lab_load(&lab, DATA + 2 * LAB_PAGE, 4), word(3, 1) & 0xffffffff);
    CHECK_EQ(get(lab.mask[1]), 0);
}

/* Memory that is not there: of the third element, or of its second part. */
static uint64_t broken;

static enum svmc_status broken_read(void *ctx, svmc_gpa at, void *dst, size_t n)
{
    const struct exec_lab *l = ctx;

    return l->ram + at.v == exec_lab_at(&lab, broken) ? SVMC_ERR_REFUSED
                                                      : exec_lab_ops.read(ctx, at, dst, n);
}

TEST(exec_vec, a_gather_whose_callback_fails_keeps_what_it_has) /* XE-7 XE-29 */
{
    static struct svmc_exec_ops ops;

    ops = exec_lab_ops;
    ops.read = broken_read;
    for (unsigned i = 0; i < 28; i++) { /* none waits, one, all */
        unsigned k = i / 2, parts = 1 + i % 2;

        open_gather();
        lab.absent[2] = false;
        broken = parts == 1 ? DATA + 2 * LAB_PAGE : LAB_LINEAR + 2 * LAB_PAGE;
        if (parts == 2)
            put(lab.vector[2] + 8, LAB_LINEAR + 2 * LAB_PAGE - 2 - DATA);
        CHECK_EQ(svmc_exec_init(&lab.x, &ops, &lab), SVMC_OK);
        lab.mode = k == 0 ? LAB_OK : LAB_BUSY;
        lab.every = k == 13;
        lab.fail_at = lab.every ? 1 : k;
        enum svmc_status st = RUN(0xc4, 0xe2, 0x71, 0x90, 0x04, 0x13);

        CHECK_EQ(st == SVMC_OK ? exec_lab_go_on(&lab) : st, SVMC_ERR_CALLBACK, "call %u", k);
        CHECK_EQ(lab.out.action, SVMC_EXEC_NONE, "call %u", k);
        CHECK_EQ(lab.out.callback, SVMC_EXEC_READ, "call %u", k);
        CHECK_EQ(lab.out.callback_status, SVMC_ERR_REFUSED, "call %u", k);
        CHECK_EQ(get(lab.vector[0]), 0xa0a0a0a1a0a0a0a0, "call %u", k);
        CHECK_EQ(get(lab.vector[0] + 8), word(0, 1), "call %u", k);
        CHECK_EQ(get(lab.vector[1]), 0, "call %u", k);
        CHECK_EQ(get(lab.vector[1] + 8), ~(uint64_t)0, "call %u", k);
        CHECK_EQ(lab.regs.rip, 0x1000, "call %u", k);
        lab.mode = LAB_OK;
        CHECK_EQ(svmc_exec_init(&lab.x, &exec_lab_ops, &lab), SVMC_OK);
        CHECK_EQ(RUN(0xc4, 0xe2, 0x71, 0x90, 0x04, 0x13), SVMC_OK);
        CHECK_EQ(lab.out.accesses, 3 + parts + 1 + 2, "call %u", k); /* the rest alone */
    }
}

static unsigned count_writes(void)
{
    unsigned n = 0;

    for (unsigned i = 0; i < lab.logged && i < LAB_LOG; i++)
        n += lab.log[i].kind == SVMC_EXEC_WRITE;
    return n;
}

TEST(exec_vec, a_scatter_whose_callback_fails_writes_no_element_twice) /* XE-7 XE-29 */
{
    for (unsigned k = 1, calls = 12; k < calls; k++) { /* the last one puts the mask */
        unsigned done;

        open_gather();
        lab.absent[2] = false;
        put(lab.mask[1], 0xff);
        lab.mode = LAB_FAIL;
        lab.fail_at = k;
        CHECK_EQ(RUN(0x62, 0xf2, 0x7d, 0x09, 0xa0, 0x1c, 0x13), SVMC_ERR_CALLBACK, "call %u", k);
        CHECK_EQ(lab.out.callback, lab.struck, "call %u", k);
        done = count_writes();
        CHECK_EQ(done, k < 4 ? 0 : (k - 4) / 2, "call %u", k);
        CHECK_EQ(get(lab.mask[1]), 0xffu << done & 0xff, "call %u", k);
        lab.mode = LAB_OK;
        CHECK_EQ(RUN(0x62, 0xf2, 0x7d, 0x09, 0xa0, 0x1c, 0x13), SVMC_OK, "call %u", k);
        CHECK_EQ(lab.out.action, SVMC_EXEC_DONE, "call %u", k);
        CHECK_EQ(count_writes(), 4, "call %u", k);
        CHECK_EQ(get(lab.mask[1]), 0, "call %u", k);
    }
}

static uint64_t seed;

static unsigned draw(unsigned bound)
{
    return (unsigned)(harness_random(&seed) >> 33) % bound;
}

/* Elements anywhere, many of them across two pages, under any mask. */
static void draw_gather(unsigned index_bytes)
{
    const unsigned reach = LAB_PAGES * LAB_PAGE - 0x108;

    open_vectors();
    lab.absent[draw(LAB_PAGES)] = draw(4) == 0;
    lab.read_only[draw(LAB_PAGES)] = draw(8) == 0;
    for (unsigned i = 0; i < 32 / index_bytes; i++) {
        unsigned at = draw(2) ? draw(reach) : LAB_PAGE * (1 + draw(3)) - 0x100 - draw(8);

        for (unsigned k = 0; k < index_bytes; k++)
            lab.vector[2][index_bytes * i + k] = (uint8_t)((uint64_t)at >> 8 * k);
    }
    for (unsigned i = 0; i < 32; i++)
        lab.vector[1][i] = (uint8_t)draw(256);
    put(lab.mask[1], draw(256));
    for (unsigned i = 0; i < sizeof lab.ram; i += 8)
        put(lab.ram + i, harness_random(&seed));
}

static void check_same(const struct exec_lab *l, const struct exec_lab *want, unsigned row)
{
    CHECK_EQ(l->out.action, want->out.action, "%u", row);
    CHECK_MEM(&l->out.fault, &want->out.fault, sizeof want->out.fault, "%u", row);
    CHECK_MEM(&l->regs, &want->regs, sizeof want->regs, "%u", row);
    CHECK_MEM(l->vector, want->vector, sizeof want->vector, "%u", row);
    CHECK_MEM(l->mask, want->mask, sizeof want->mask, "%u", row);
    CHECK_MEM(l->ram, want->ram, sizeof want->ram, "%u", row);
}

/* Whatever waits, and whatever fails and is done again, it ends in the same way. */
TEST(exec_vec, gathers_that_wait_or_fail_end_as_others_do) /* XE-6 XE-7 XE-29 */
{
    static const struct {
        uint8_t index_bytes, code[7];
    } rows[] = {
        { 4, { 0xc4, 0xe2, 0x71, 0x90, 0x04, 0x13 } },       /* VPGATHERDD xmm0,[],xmm1 */
        { 4, { 0xc4, 0xe2, 0xf5, 0x90, 0x04, 0x13 } },       /* VPGATHERDQ ymm0,[],ymm1 */
        { 8, { 0xc4, 0xe2, 0x75, 0x91, 0x04, 0x13 } },       /* VPGATHERQD xmm0,[],xmm1 */
        { 4, { 0x62, 0xf2, 0x7d, 0x09, 0x90, 0x04, 0x13 } }, /* VPGATHERDD xmm0{k1},[] */
        { 4, { 0x62, 0xf2, 0x7d, 0x09, 0xa0, 0x1c, 0x13 } }, /* VPSCATTERDD []{k1},xmm3 */
        { 4, { 0x62, 0xf2, 0xfd, 0x49, 0xa0, 0x1c, 0x13 } }, /* VPSCATTERDQ []{k1},zmm3 */
    };
    static struct exec_lab first, want;
    unsigned done = 0;

    seed = harness_seed();
    for (unsigned i = 0; i < 1800; i++) {
        const unsigned row = i % 6, count = row < 3 ? 6 : 7;
        enum svmc_status st;

        draw_gather(rows[row].index_bytes);
        first = lab;
        CHECK_EQ(exec_lab_run(&lab, rows[row].code, count), SVMC_OK, "%u", i);
        want = lab;
        done += want.out.action == SVMC_EXEC_DONE;
        lab = first;
        lab.mode = LAB_BUSY;
        lab.every = true;
        lab.fail_at = 1;
        st = exec_lab_run(&lab, rows[row].code, count);
        CHECK_EQ(st == SVMC_OK ? exec_lab_go_on(&lab) : st, SVMC_OK, "%u", i);
        check_same(&lab, &want, i);
        CHECK_EQ(lab.logged, want.logged, "%u", i);
        lab = first;
        lab.mode = LAB_FAIL;
        lab.fail_at = 1 + draw(want.calls);
        CHECK_EQ(exec_lab_run(&lab, rows[row].code, count), SVMC_ERR_CALLBACK, "%u", i);
        exec_lab_check_callback(&lab, SVMC_ERR_CALLBACK, "a gather");
        lab.mode = LAB_OK;
        CHECK_EQ(exec_lab_run(&lab, rows[row].code, count), SVMC_OK, "%u", i);
        check_same(&lab, &want, i);
    }
    CHECK(done > 600, "%u", done);
}

TEST(exec_vec, one_step_traps_behind_a_vector_instruction) /* XE-16 */
{
    open_vectors();
    lab.regs.rflags |= 0x100;
    CHECK_EQ(RUN(0xf3, 0x0f, 0x6f, 0x03), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_EXEC_DONE);
    CHECK_EQ(lab.out.trap, 1);
}
