/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program outside our tree: it has only what is installed. Prints each status of a snapshot, then
 * of a stream until Synced.
 */
#include <stdio.h>
#include <string.h>

#include <kstatus.h>

static int fail(const struct kstatus_error *error)
{
    fprintf(stderr, "code %d: %s\n", error->code, error->message);
    return 1;
}

static void print_status(const Kstatus__V1__ResourceStatus *status)
{
    printf("%s/%s %s\n", status->object->kind, status->object->name,
           protobuf_c_enum_descriptor_get_value(&kstatus__v1__reconcile_status__descriptor,
                                                (int)status->status)
               ->name);
}

static int get(struct kstatus_client *client, Kstatus__V1__Target **targets)
{
    Kstatus__V1__GetRequest request = KSTATUS__V1__GET_REQUEST__INIT;
    Kstatus__V1__GetResponse *answer = NULL;
    struct kstatus_error error;

    request.n_targets = 1;
    request.targets = targets;
    if (kstatus_get(client, &request, 20000, &answer, &error) != KSTATUS_OK)
        return fail(&error);
    for (size_t i = 0; i < answer->n_statuses; i++)
        print_status(answer->statuses[i]);
    kstatus_get_response_free(answer);
    return 0;
}

/* Whether Synced was among the events. */
static int print_events(const Kstatus__V1__WatchResponse *response)
{
    int is_synced = 0;

    for (size_t i = 0; i < response->n_events; i++) {
        const Kstatus__V1__Event *event = response->events[i];

        if (event->event_case == KSTATUS__V1__EVENT__EVENT_UPDATE)
            print_status(event->update);
        is_synced |= event->event_case == KSTATUS__V1__EVENT__EVENT_SYNCED;
    }
    return is_synced;
}

static int watch(struct kstatus_client *client, Kstatus__V1__Target **targets)
{
    Kstatus__V1__WatchRequest request = KSTATUS__V1__WATCH_REQUEST__INIT;
    struct kstatus_watch *stream = NULL;
    struct kstatus_error error;
    int is_synced = 0;

    request.n_targets = 1;
    request.targets = targets;
    if (kstatus_watch_open(client, &request, NULL, NULL, &stream, &error) != KSTATUS_OK)
        return fail(&error);
    while (!is_synced) {
        Kstatus__V1__WatchResponse *response = NULL;

        if (kstatus_watch_next(stream, 20000, &response, &error) != KSTATUS_OK || !response)
            return fail(&error);
        is_synced = print_events(response);
        kstatus_watch_response_free(response);
    }
    kstatus_watch_free(stream);
    return 0;
}

/* ADDRESS RESOURCE NAME */
int main(int argc, char **argv)
{
    struct kstatus_client_config config = {.size = sizeof(config)};
    Kstatus__V1__ObjectRef object = KSTATUS__V1__OBJECT_REF__INIT;
    Kstatus__V1__Target target = KSTATUS__V1__TARGET__INIT;
    Kstatus__V1__Target *targets[] = {&target};
    struct kstatus_client *client = NULL;
    struct kstatus_error error;
    int code;

    if (argc != 4)
        return 2;
    config.address = argv[1];
    object.resource = argv[2];
    object.name = argv[3];
    target.target_id = 1;
    target.selection_case = KSTATUS__V1__TARGET__SELECTION_OBJECT;
    target.object = &object;
    if (kstatus_client_new(&config, &client, &error) != KSTATUS_OK)
        return fail(&error);
    code = get(client, targets) || watch(client, targets);
    kstatus_client_free(client);
    return code;
}
