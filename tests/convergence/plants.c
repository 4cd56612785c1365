/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The list of planted bugs. Each is a mistake that somebody could make there, or did.
 *
 * Thread: any.
 */
#include "convergence/plants.h"

#include "base/base.h"
#include "base/plant.h"

unsigned ks_plant;

const struct plant plants[] = {
    {1, "a list deletes nothing: what went while nobody looked stays"},
    {2, "another UID under a name is taken for a change"},
    {3, "a list does not confirm what it did not change"},
    {4, "410 on a watch is taken for its end: resumed for ever"},
    {5, "a DELETED event is taken for a change"},
    {6, "a list ends with its first page"},
    {7, "what a list that was cut off had confirmed stays confirmed"},
    {8, "what leaves a selector counts as deleted"},
    {9, "what may not be looked at counts as deleted"},
    {10, "Synced comes with the first answer"},
    {11, "a verdict that changes by itself does not"},
    {12, "a target that an object comes to is not told when its state is old news"},
    {13, "what is gone may be shown again by a watch that lags behind"},
    {14, "merged updates are not counted"},
    {15, "the first update that waits wins"},
    {16, "a large batch skips a sequence number"},
    {17, "an update overtakes a removal"},
    {18, "a failed Pod counts when it is no more"},
    {19, "a Pod stays with its first owner"},
    {20, "a kind that is not served is never asked for again"},
    {21, "what is of a kind that is not served any more keeps its status"},
    {22, "discovery is not asked again"},
    {23, "objects of one name with other UIDs are not counted"},
    {24, "targets share a watch though their field selectors differ"},
    {25, "a new UID is told before the end of the old one"},
    {26, "what was Unknown stays so, though a list proves it absent"},
    {27, "the previous status is the present one"},
    {28, "a Pod's change does not reach its owner"},
};
const size_t plants_len = KS_ARRAY_LEN(plants);
