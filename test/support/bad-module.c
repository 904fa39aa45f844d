/* A PKCS#11 module that misbehaves in one way, chosen with -DMODE=n. It shows one token, "bad". Written for these tests
 * after the PKCS#11 v2.40 function list (OASIS, pkcs11f.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
typedef unsigned long CK_ULONG;
typedef unsigned char CK_BYTE;
enum { GOOD, SEGV, HANG_AT_START, EXITS, GENERAL_ERROR, CHATTER, ABORTS, HANG_LATER, PIN_LOCKED, LAST_TRY, COUNT_LOGINS,
       TELLS_PIN, DISTURBS_PIPE, NO_SLOTS, HANG_WITH_CHILD, TELLS_OPENSSL };
struct list { CK_BYTE version[8]; void *function[68]; } functions;

static CK_ULONG not_supported(void) { return 0x54; }
static void hang(void) { for (;;) sleep(1000); }

#if MODE == 15 /* TELLS_OPENSSL; only then is it linked to one */
extern const char *OpenSSL_version(int which);
static void tell_openssl(void) { printf("OpenSSL: %s\n", OpenSSL_version(0)); }
#else
static void tell_openssl(void) {}
#endif

static CK_ULONG initialize(void *arguments) {
  (void)arguments;
  tell_openssl();
  if (MODE == SEGV) *(volatile int *)0 = 1;
  if (MODE == HANG_AT_START) hang();
  if (MODE == HANG_WITH_CHILD) { if (fork() == 0) { execlp("sleep", "sleep", "1000", (char *)0); _exit(1); } hang(); }
  if (MODE == EXITS) { fprintf(stderr, "no configuration, giving up\n"); exit(3); }
  if (MODE == GENERAL_ERROR) return 0x5;
  if (MODE == ABORTS) { fprintf(stderr, "assertion failed\n"); abort(); }
  if (MODE == CHATTER) for (int i = 0; i < 5000; i++) { printf("{\"id\":%d,\"ok\":true}\n", i); fprintf(stderr, "vendor chatter %d\n", i); }
  if (MODE == DISTURBS_PIPE) { if (write(3, "not json\n", 9) != 9) return 0x5; hang(); }
  fflush(stdout);
  return 0;
}
static CK_ULONG finalize(void *reserved) { (void)reserved; return 0; }
static CK_ULONG get_info(CK_BYTE *info) {
  memset(info, 0, 88);
  info[0] = 2; info[1] = 40;
  memset(info + 2, ' ', 32); memcpy(info + 2, "Test", 4);
  memset(info + 48, ' ', 32); memcpy(info + 48, "Bad module", 10);
  return 0;
}
static CK_ULONG slot_list(CK_BYTE present, CK_ULONG *slots, CK_ULONG *count) {
  if (MODE == NO_SLOTS) { *count = 0; return 0; }
  (void)present;
  if (slots) slots[0] = 7;
  *count = 1;
  return 0;
}
static CK_ULONG token_info(CK_ULONG slot, CK_BYTE *info) {
  (void)slot;
  memset(info, ' ', 96);
  memcpy(info, "bad", 3);
  CK_ULONG *words = (CK_ULONG *)(info + 96);
  memset(words, 0, 112);
  words[0] = 0x40d | (MODE == PIN_LOCKED ? 0x40000 : 0) | (MODE == LAST_TRY ? 0x20000 : 0);
  return 0;
}
static CK_ULONG mechanisms(CK_ULONG slot, CK_ULONG *list, CK_ULONG *count) {
  (void)slot; (void)list;
  if (MODE == HANG_LATER) { fprintf(stderr, "now it hangs\n"); hang(); }
  *count = 0;
  return 0;
}
static CK_ULONG open_session(CK_ULONG slot, CK_ULONG flags, void *a, void *n, CK_ULONG *session) {
  (void)slot; (void)flags; (void)a; (void)n;
  *session = 1;
  return 0;
}
static CK_ULONG close_session(CK_ULONG session) { (void)session; return 0; }
static CK_ULONG login(CK_ULONG session, CK_ULONG user, const char *pin, CK_ULONG length) {
  (void)session; (void)user;
  if (MODE == TELLS_PIN) { printf("your PIN is %.*s\n", (int)length, pin); fflush(stdout); return 0; }
  fprintf(stderr, "login\n");
  return 0xa0;
}
CK_ULONG C_GetFunctionList(struct list **out) {
  functions.version[0] = 2; functions.version[1] = 40;
  for (int i = 0; i < 68; i++) functions.function[i] = not_supported;
  functions.function[0] = initialize; functions.function[1] = finalize; functions.function[2] = get_info;
  functions.function[3] = C_GetFunctionList; functions.function[4] = slot_list; functions.function[6] = token_info;
  functions.function[7] = mechanisms; functions.function[12] = open_session; functions.function[13] = close_session;
  functions.function[18] = login;
  *out = &functions;
  return 0;
}
