/*
 * A scripted VMM for vmm_driver.c: answers every call with 204 and writes it
 * to the file "requests", but for one, as script says:
 *   ok               none
 *   refuse=<path>    400 with a fault_message
 *   garbage=<path>   500 with something else
 *   exit=<path>      exit code 7 instead of an answer
 *   hang=<path>      no answer
 *   panic=/actions   words on the console, then as exit
 *   late             listens only a while after it has bound
 *   silent           no socket
 *   die              exit code 3 at once
 */

#ifndef _FCT_VMM_FAKE_H_INCLUDED_
#define _FCT_VMM_FAKE_H_INCLUDED_

/* returns the exit code */
int fct_fake_vmm(const char *sock, const char *script);

#endif /* _FCT_VMM_FAKE_H_INCLUDED_ */
