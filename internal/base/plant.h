/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Planted bugs: mistakes that a test must find, at the place where somebody could make them.
 *
 *     if (KS_PLANTED(7)) return true;      the bug with number 7
 *     if (!KS_PLANTED(8)) do_what_is_right();
 *
 * What each number stands for is told in tests/convergence/plants.c. In every build but that of the
 * test, KS_PLANTED is the constant false and leaves nothing behind.
 *
 * Thread: the number is chosen before there is a second one.
 */
#ifndef KS_BASE_PLANT_H
#define KS_BASE_PLANT_H

#ifdef KS_PLANTS
extern unsigned ks_plant; /* the one that is in effect; 0: none */
#define KS_PLANTED(number) (ks_plant == (number))
#else
#define KS_PLANTED(number) 0
#endif

#endif
