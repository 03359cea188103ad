/*
 * A scripted VMM for vmm_driver.c: answers every call with 204, GET / as
 * version 1.16.0 does, and writes it to the file "requests" beside its
 * directory, but for one, as script says:
 *   ok               none
 *   refuse=<path>    400 with a fault_message
 *   garbage=<path>   500 with something else
 *   exit=<path>      exit code 7 instead of an answer
 *   hang=<path>      no answer
 *   version=<text>   says that it is that version; none: 204 to GET / too
 *   files            what it was given, into "requests"; then as hang=/actions
 *   flood            more on standard error than anybody keeps, then as exit
 *   noisy            200 KiB of lines on the console, then as exit=/actions
 *   huge=<path>      200 and a body that does not end
 *   size=<n>         GET / is answered with so many bytes
 *   fault=<n>        PUT /machine-config is refused with so many
 *   panic=/actions   words on the console, then as exit
 *   late             listens only a while after it has bound
 *   silent           no socket
 *   die              exit code 3 at once
 */

#ifndef _FCT_VMM_FAKE_H_INCLUDED_
#define _FCT_VMM_FAKE_H_INCLUDED_

/* argv as the driver gives it: --api-sock <name> --id <id> --fake <script>
 * ...; returns the exit code */
int fct_fake_vmm(int argc, char **argv);

#endif /* _FCT_VMM_FAKE_H_INCLUDED_ */
