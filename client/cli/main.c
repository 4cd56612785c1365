/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of subcommands, and what stands before one on the command line.
 *
 * Thread: main.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

#include "client/cli/commands.h"
#include "client/cli/report.h"

static const struct ks_command *const commands[] = {
    &ks_cmd_watch,   &ks_cmd_get,    &ks_cmd_wait,    &ks_cmd_explain,
    &ks_cmd_compute, &ks_cmd_health, &ks_cmd_version,
};

static const struct ks_command *command_find(const char *name)
{
    for (size_t i = 0; i < KS_ARRAY_LEN(commands); i++) {
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    }
    return NULL;
}

static int print_help(FILE *to, int code)
{
    fprintf(to, "Usage: kstatus [--server ADDR] COMMAND ...\n"
                "\n"
                "Tells whether Kubernetes objects have reached their desired state, and if not,\n"
                "why not.\n"
                "\n");
    for (size_t i = 0; i < KS_ARRAY_LEN(commands); i++)
        fprintf(to, "  %-8s  %s\n", commands[i]->name, commands[i]->summary);
    fprintf(to, "  %-8s  %s\n", "help", "show this, or the help of a command");
    fprintf(to, "\n"
                "  -s, --server ADDR  kstatusd's address: HOST:PORT or unix:PATH\n"
                "                     (default: $KSTATUS_SERVER, else " KS_DEFAULT_SERVER ")\n"
                "      --version      print the version\n"
                "  -h, --help         show this\n"
                "\n"
                "Exit status: 0 done; 1 the answer is bad, as when an object is Failed (watch\n"
                "never says so); 2 wrong command line or request; 3 what was waited for did\n"
                "not come in time; 4 kstatusd cannot be reached, or the stream was lost.\n"
                "\n"
                "  kstatus watch -n shop deploy/web sts/db job/migrate\n"
                "  kstatus get -n shop pods -l app=web\n"
                "  kstatus wait -n shop deploy/web --timeout 2m --fail-fast\n"
                "  kstatus explain -n shop deploy/web\n"
                "  kubectl get deploy -A -o json | kstatus compute -f -\n");
    return fflush(to) == 0 ? code : KS_EXIT_BAD;
}

static int usage_unknown(const char *word)
{
    ks_report_complain("'%s' is not a command; `kstatus help` lists them", word);
    return KS_EXIT_USAGE;
}

static int run_help(int argc, char **argv)
{
    const struct ks_command *command;

    if (argc < 2)
        return print_help(stdout, KS_EXIT_OK);
    command = command_find(argv[1]);
    if (!command)
        return usage_unknown(argv[1]);
    return ks_report_write(ks_str_from(command->help)) ? KS_EXIT_OK : KS_EXIT_BAD;
}

static int run_command(int argc, char **argv, const char *server)
{
    const struct ks_command *command = command_find(argv[0]);
    struct ks_options options;
    struct ks_error err = {0};

    if (strcmp(argv[0], "help") == 0)
        return run_help(argc, argv);
    if (!command)
        return usage_unknown(argv[0]);
    if (ks_options_parse(argc, argv, command->options, server, &options, &err)) {
        ks_report_complain("%s", err.msg);
        return KS_EXIT_USAGE;
    }
    if (options.wants_help)
        return ks_report_write(ks_str_from(command->help)) ? KS_EXIT_OK : KS_EXIT_BAD;
    if (options.arg_count > command->max_args) {
        ks_report_complain("`kstatus %s` takes no '%s'; see `kstatus %s --help`", command->name,
                           options.args[command->max_args], command->name);
        return KS_EXIT_USAGE;
    }
    return command->run(&options);
}

/* Takes --server off the front. False after a complaint. */
static bool take_server(int *argc, char ***argv, const char **server)
{
    static const char with_value[] = "--server=";
    const char *word = (*argv)[0];

    if (strncmp(word, with_value, sizeof(with_value) - 1) == 0) {
        *server = word + sizeof(with_value) - 1;
    } else if (strcmp(word, "--server") != 0 && strcmp(word, "-s") != 0) {
        ks_report_complain("'%s' is not an option of kstatus; see `kstatus --help`", word);
        return false;
    } else if (*argc < 2) {
        ks_report_complain("%s needs an address, HOST:PORT or unix:PATH", word);
        return false;
    } else {
        *server = (*argv)[1];
        --*argc;
        ++*argv;
    }
    --*argc;
    ++*argv;
    return true;
}

int main(int argc, char **argv)
{
    const char *server = getenv("KSTATUS_SERVER");

    if (server && !server[0])
        server = NULL;
    argc--;
    argv++;
    while (argc > 0 && argv[0][0] == '-') {
        if (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0)
            return print_help(stdout, KS_EXIT_OK);
        if (strcmp(argv[0], "--version") == 0)
            return run_command(1, (char *[]){(char *)"version", NULL}, server);
        if (!take_server(&argc, &argv, &server))
            return KS_EXIT_USAGE;
    }
    if (argc == 0)
        return print_help(stderr, KS_EXIT_USAGE);
    return run_command(argc, argv, server);
}
