/* SPDX-License-Identifier: MIT */
/**
 * The whole library. guest/hypercall.h is the guest's side and stands alone; port/ has the headers
 * of back ends, which are archives of their own.
 */
#ifndef SVMCORE_SVMCORE_H
#define SVMCORE_SVMCORE_H
#include "adapt.h"
#include "address.h"
#include "audit.h"
#include "config.h"
#include "crypto.h"
#include "discover.h"
#include "event.h"
#include "exit.h"
#include "exit_a64.h"
#include "exit_kvm.h"
#include "exit_ppc.h"
#include "exit_rv.h"
#include "exit_s390.h"
#include "exit_svm.h"
#include "exit_vmx.h"
#include "hcall.h"
#include "hcall_decl.h"
#include "host.h"
#include "insn.h"
#include "intercept.h"
#include "iox.h"
#include "offer.h"
#include "page.h"
#include "policy.h"
#include "policy_rows.h"
#include "status.h"
#include "token.h"
#include "token_types.h"
#include "token_page.h"
#include "trap.h"
#include "types.h"
#include "version.h"
#include "vmware.h"
#include "vmware_types.h"
#include "x86_cpu.h"
#endif
