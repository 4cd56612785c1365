#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""kubesim's API: discovery, reading, writing, watching, rights. Wording is compared with the recorded corpus."""

import json
import os
import re
import stat
import unittest

import test_kubesim_support as support
from test_kubesim_support import (CORPUS, Kubesim, config_map, is_end_of_initial, pod, widget, widget_crd)

CMS = "/api/v1/namespaces/default/configmaps"
PODS = "/api/v1/namespaces/default/pods"
WIDGETS = "/apis/example.dev/v1/namespaces/default/widgets"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"


def corpus(name):
    with open(os.path.join(CORPUS, name), encoding="utf-8") as file:
        return file.read()


class Case(unittest.TestCase):
    arguments = ()

    def setUp(self):
        self.sim = Kubesim(*self.arguments)
        self.addCleanup(self.sim.stop)

    def create(self, path, *bodies):
        for body in bodies:
            answer = self.sim.post(path, body)
            self.assertEqual(answer.status, 201, answer.text)
        return answer.json

    def names(self, answer):
        self.assertEqual(answer.status, 200, answer.text)
        return [item["metadata"]["name"] for item in answer.json["items"]]

    def assert_problem(self, answer, code, reason, words=""):
        self.assertEqual(answer.status, code, answer.text)
        self.assertEqual(answer.json["kind"], "Status")
        self.assertEqual(answer.json["code"], code)
        self.assertEqual(answer.json.get("reason"), reason)
        self.assertIn(words, answer.json["message"])


class Start(Case):
    def test_kubeconfig_is_private_and_complete(self):
        self.assertEqual(stat.S_IMODE(os.stat(self.sim.kubeconfig).st_mode), 0o600)
        with open(self.sim.kubeconfig, encoding="utf-8") as file:
            text = file.read()
        for part in ("server: " + self.sim.url, "certificate-authority-data: ", "token: admin",
                     "current-context: kubesim"):
            self.assertIn(part, text)

    def test_health_is_open_to_everybody(self):
        for path in ("/healthz", "/livez", "/readyz"):
            answer = self.sim.get(path, token=None)
            self.assertEqual((answer.status, answer.text), (200, "ok"))
        self.assertEqual(self.sim.get("/version", token=None).json["minor"], "36")

    def test_seed_repeats_uids(self):
        uids = []
        for _ in range(2):
            sim = Kubesim("--seed", "7")
            uids.append(sim.post(CMS, config_map("a")).json["metadata"]["uid"])
            sim.stop()
        self.assertEqual(*uids)


class Discovery(Case):
    def test_is_what_a_real_server_says(self):
        self.create(CRDS, widget_crd())
        for name, path, accept in (
                ("api.aggregated.json", "/api", AGGREGATED), ("apis.aggregated.json", "/apis", AGGREGATED),
                ("apis.legacy.json", "/apis", "application/json"), ("api.v1.json", "/api/v1", "application/json"),
                ("apis.apps.json", "/apis/apps", "application/json"),
                ("apis.apps.v1.json", "/apis/apps/v1", "application/json"),
                ("apis.batch.v1.json", "/apis/batch/v1", "application/json"),
                ("apis.example.dev.v1.json", "/apis/example.dev/v1", "application/json"),
                ("apis.apiextensions.k8s.io.v1.json", "/apis/apiextensions.k8s.io/v1", "application/json")):
            with self.subTest(name):
                self.assertEqual(self.sim.get(path, headers={"Accept": accept}).text, corpus("discovery/" + name))
        legacy = self.sim.get("/api", headers={"Accept": "application/json"}).json
        self.assertEqual(list(legacy), list(json.loads(corpus("discovery/api.legacy.json"))))

    def test_etag_saves_the_body(self):
        first = self.sim.get("/apis", headers={"Accept": AGGREGATED})
        self.assertEqual(first.headers["content-type"],
                         "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList")
        again = self.sim.get("/apis", headers={"Accept": AGGREGATED, "If-None-Match": first.headers["etag"]})
        self.assertEqual((again.status, again.text), (304, ""))
        self.create(CRDS, widget_crd())
        changed = self.sim.get("/apis", headers={"Accept": AGGREGATED, "If-None-Match": first.headers["etag"]})
        self.assertEqual(changed.status, 200)
        self.assertNotEqual(changed.headers["etag"], first.headers["etag"])

    def test_can_be_an_old_server(self):
        self.sim.play({"op": "feature", "name": "aggregated-discovery", "on": False})
        self.assertEqual(self.sim.get("/apis", headers={"Accept": AGGREGATED}).json["kind"], "APIGroupList")

    def test_unknown_paths(self):
        self.assertEqual(self.sim.get("/apis/nothing.example.dev").text, "404 page not found\n")
        self.assertEqual(self.sim.get("/apis/nothing.example.dev/v1/things").text, corpus("error/404.group.txt"))
        self.assertEqual(self.sim.get("/apis/apps/v1/namespaces/default/gadgets").text,
                         corpus("error/404.resource.json"))
        self.assertEqual(self.sim.get("/%zz").status, 400)


class Objects(Case):
    def test_life_of_an_object(self):
        made = self.create(CMS, config_map("a", labels={"x": "1"}, data={"k": "<&>"}))
        self.assertEqual(made["kind"], "ConfigMap")
        self.assertNotIn("generation", made["metadata"])
        text = self.sim.get(CMS + "/a").text
        self.assertTrue(text.startswith('{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a"'), text)
        self.assertIn("\\u003c\\u0026\\u003e", text)
        made["data"]["k"] = "w"
        put = self.sim.put(CMS + "/a", made).json
        self.assertGreater(int(put["metadata"]["resourceVersion"]), int(made["metadata"]["resourceVersion"]))
        same = self.sim.put(CMS + "/a", put).json
        self.assertEqual(same["metadata"]["resourceVersion"], put["metadata"]["resourceVersion"])
        self.assert_problem(self.sim.put(CMS + "/a", made), 409, "Conflict", "the object has been modified")
        patched = self.sim.merge(CMS + "/a", {"data": {"k": None, "n": "1"}}).json
        self.assertEqual(patched["data"], {"n": "1"})
        deleted = self.sim.delete(CMS + "/a").json
        self.assertEqual((deleted["kind"], deleted["status"]), ("Status", "Success"))
        self.assertEqual(deleted["details"]["uid"], made["metadata"]["uid"])
        self.assert_problem(self.sim.get(CMS + "/a"), 404, "NotFound", 'configmaps "a" not found')

    def test_status_and_spec_are_apart(self):
        path = "/apis/apps/v1/namespaces/default/deployments"
        labels = {"app": "web"}
        template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
        made = self.create(path, {"metadata": {"name": "web"}, "status": {"replicas": 9}, "spec": {
            "selector": {"matchLabels": labels}, "template": template}})
        self.assertEqual((made["status"], made["metadata"]["generation"], made["spec"]["replicas"]), ({}, 1, 1))
        made["status"] = {"replicas": 1, "observedGeneration": 1}
        made["spec"]["replicas"] = 5
        put = self.sim.put(path + "/web/status", made).json
        self.assertEqual((put["status"]["replicas"], put["spec"]["replicas"], put["metadata"]["generation"]), (1, 1, 1))
        put["status"] = {}
        put["spec"]["replicas"] = 5
        put = self.sim.put(path + "/web", put).json
        self.assertEqual((put["status"]["replicas"], put["spec"]["replicas"], put["metadata"]["generation"]), (1, 5, 2))
        patched = self.sim.merge(path + "/web/status", {"status": {"replicas": 5}, "spec": {"replicas": 7}}).json
        self.assertEqual((patched["status"]["replicas"], patched["spec"]["replicas"]), (5, 5))
        scale = self.sim.put(path + "/web/scale", {"spec": {"replicas": 2}}).json
        self.assertEqual((scale["kind"], scale["spec"]["replicas"]), ("Scale", 2))
        self.assertEqual(self.sim.get(path + "/web").json["metadata"]["generation"], 3)

    def test_strategic_merge_merges_lists_of_named_things(self):
        self.create(PODS, {"metadata": {"name": "p"}, "spec": {"containers": [
            {"name": "a", "image": "1"}, {"name": "b", "image": "1"}]}})
        patch = {"spec": {"$setElementOrder/containers": [{"name": "a"}, {"name": "b"}],
                          "containers": [{"name": "b", "image": "2"}, {"name": "a", "$patch": "delete"}]}}
        answer = self.sim.request(PODS + "/p", "PATCH", patch,
                                  headers={"Content-Type": "application/strategic-merge-patch+json"})
        self.assertEqual(answer.json["spec"]["containers"], [{"name": "b", "image": "2"}])

    def test_finalizers_hold(self):
        self.create(CRDS, widget_crd())
        self.create(WIDGETS, widget("held", finalizers=["example.dev/hold"]))
        watch = self.sim.watch_from_start(WIDGETS)
        watch.events_until(is_end_of_initial)
        begun = self.sim.delete(WIDGETS + "/held").json
        self.assertEqual(begun["metadata"]["generation"], 2)
        self.assertEqual(begun["metadata"]["deletionGracePeriodSeconds"], 0)
        self.assertIn("deletionTimestamp", begun["metadata"])
        again = self.sim.delete(WIDGETS + "/held").json
        self.assertEqual(again["metadata"]["resourceVersion"], begun["metadata"]["resourceVersion"])
        last = self.sim.merge(WIDGETS + "/held", {"metadata": {"finalizers": None}}).json
        self.assertEqual(last["metadata"]["resourceVersion"], begun["metadata"]["resourceVersion"])
        self.assertEqual(self.sim.get(WIDGETS + "/held").status, 404)
        self.assertEqual([watch.event()["type"], watch.event()["type"]], ["MODIFIED", "DELETED"])

    def test_generated_names_and_dry_run(self):
        made = self.create(CMS, {"metadata": {"generateName": "many-"}})
        self.assertRegex(made["metadata"]["name"], r"^many-[a-z0-9]{5}$")
        self.assertEqual(self.sim.post(CMS + "?dryRun=All", config_map("dry")).status, 201)
        self.assertEqual(self.sim.get(CMS + "/dry").status, 404)
        self.assertEqual(self.sim.delete(CMS + "/" + made["metadata"]["name"] + "?dryRun=All").status, 200)
        self.assertEqual(self.sim.get(CMS + "/" + made["metadata"]["name"]).status, 200)

    def test_delete_collection_and_eviction(self):
        self.create(CMS, config_map("a", labels={"x": "1"}), config_map("b"))
        self.assertEqual(self.sim.delete(CMS + "?labelSelector=x%3D1").status, 200)
        self.assertEqual(self.names(self.sim.get(CMS)), ["b"])
        self.create(PODS, pod("p"))
        self.assertEqual(self.sim.post(PODS + "/p/eviction", {"metadata": {"name": "p"}}).status, 201)
        self.assertEqual(self.sim.get(PODS + "/p").status, 404)
        self.assertEqual(self.sim.delete("/api/v1/namespaces").status, 405)

    def test_namespace_takes_its_content_along(self):
        self.create("/api/v1/namespaces", {"metadata": {"name": "ns"}})
        path = "/api/v1/namespaces/ns/configmaps"
        self.create(path, config_map("free", "ns"), config_map("held", "ns", finalizers=["x/y"]))
        self.assertEqual(self.sim.delete("/api/v1/namespaces/ns").json["status"]["phase"], "Terminating")
        self.assertEqual(self.names(self.sim.get(path)), ["held"])
        self.assert_problem(self.sim.post(path, config_map("new", "ns")), 403, "Forbidden", "being terminated")
        self.sim.merge(path + "/held", {"metadata": {"finalizers": []}})
        self.assertEqual(self.sim.get("/api/v1/namespaces/ns").status, 404)
        self.assertEqual(self.names(self.sim.get(path)), [])


class Refusals(Case):
    """Each compared with what the real server said to the same request."""

    def same(self, name, answer):
        self.assertEqual(answer.status, int(name.split(".")[0]), answer.text)
        self.assertEqual(answer.text, corpus("error/" + name))

    def test_wording(self):
        self.create(PODS, pod("stuck"))
        self.same("404.object.json", self.sim.get(PODS + "/absent"))
        self.same("404.namespace.json", self.sim.post("/api/v1/namespaces/absent/pods", pod("new", "absent")))
        self.same("405.method.json", self.sim.post(PODS + "/stuck", pod("stuck")))
        self.same("409.exists.json", self.sim.post(PODS, pod("stuck")))
        self.same("415.patch.json", self.sim.request(PODS + "/stuck", "PATCH", {},
                                                     headers={"Content-Type": "application/x-nonsense"}))
        self.same("422.name.json", self.sim.post(PODS, pod("Not_A_Name")))
        self.same("422.initial-events.json", self.sim.get(PODS + "?watch=1&sendInitialEvents=true"))
        self.same("400.label-selector.json", self.sim.get(PODS + "?labelSelector=a%20b%20c"))
        self.same("400.field-selector.json", self.sim.get(PODS + "?fieldSelector=spec.color%3Dred"))
        self.same("500.resource-version.json", self.sim.get(PODS + "?watch=1&resourceVersion=abc"))
        self.same("401.token.json", self.sim.get(PODS, token="nobody"))
        self.same("403.anonymous.json", self.sim.get(PODS, token=None))
        labels = {"app": "odd"}
        self.same("422.deployment.json", self.sim.post("/apis/apps/v1/namespaces/default/deployments", {
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "odd", "labels": labels},
            "spec": {"replicas": 2, "selector": {"matchLabels": labels}, "template": {
                "metadata": {"labels": {"app": "other"}}, "spec": {"containers": [{"name": "main", "image": "web"}]}}}}))

    def test_rights(self):
        self.create(CRDS, widget_crd())
        self.sim.play({"op": "token", "token": "t", "user": "viewer"},
                      {"op": "rbac", "user": "viewer", "verbs": ["list"], "groups": [""], "resources": ["pods"],
                       "namespaces": ["default"]})
        self.same("403.list.json", self.sim.get("/api/v1/namespaces/default/secrets", token="t"))
        self.same("403.list-all-namespaces.json", self.sim.get("/api/v1/pods", token="t"))
        self.same("403.watch.json", self.sim.get("/api/v1/nodes?watch=1", token="t"))
        self.same("403.get.json", self.sim.get(WIDGETS + "/gadget", token="t"))
        self.assertEqual(self.sim.get(PODS, token="t").status, 200)

    def test_bad_bodies(self):
        self.assert_problem(self.sim.post(PODS, '{"kind": "Pod", '), 400, "BadRequest", "must be of type Pod")
        self.assert_problem(self.sim.post(PODS, "[]"), 400, "BadRequest")
        self.assert_problem(self.sim.post(PODS, pod("p", "other")), 400, "BadRequest", "does not match the namespace")
        self.assert_problem(self.sim.post(PODS, config_map("p")), 400, "BadRequest", "is not Pod")
        self.assert_problem(self.sim.post(PODS, "kind: Pod", headers={"Content-Type": "application/yaml"}), 415,
                            "UnsupportedMediaType")
        self.assert_problem(self.sim.post(PODS, {"metadata": {}}), 422, "Invalid", "name or generateName is required")
        self.create(PODS, pod("p"))
        self.assert_problem(self.sim.put(PODS + "/p", pod("q")), 400, "BadRequest", "does not match the name on the URL")
        self.assert_problem(self.sim.delete(PODS + "/p", {"preconditions": {"uid": "x"}}), 409, "Conflict",
                            "the UID in the precondition (x)")
        self.assert_problem(self.sim.get(PODS, headers={"Accept": "text/html"}), 406, "NotAcceptable")

    def test_parameters(self):
        for query in ("resourceVersionMatch=Exact", "resourceVersionMatch=Odd&resourceVersion=5",
                      "sendInitialEvents=true", "resourceVersionMatch=Exact&resourceVersion=0"):
            self.assert_problem(self.sim.get(f"{PODS}?{query}"), 422, "Invalid")
        self.assert_problem(self.sim.get(PODS + "?watch=1&resourceVersionMatch=NotOlderThan"), 422, "Invalid")
        self.sim.play({"op": "feature", "name": "watch-list", "on": False})
        self.assert_problem(self.sim.get(PODS + "?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"),
                            422, "Invalid", "WatchList feature gate")


class Lists(Case):
    def test_shapes(self):
        self.create(CRDS, widget_crd())
        self.create(WIDGETS, widget("gadget"))
        text = self.sim.get(WIDGETS).text
        self.assertTrue(text.startswith('{"apiVersion":"example.dev/v1","items":[{"apiVersion":"example.dev/v1",'
                                        '"kind":"Widget","metadata":{"creationTimestamp":'), text)
        self.assertRegex(text, r'\],"kind":"WidgetList","metadata":\{"continue":"","resourceVersion":"\d+"\}\}\n$')
        self.assertRegex(self.sim.get(PODS).text,
                         r'^\{"kind":"PodList","apiVersion":"v1","metadata":\{"resourceVersion":"\d+"\},"items":\[\]\}\n$')
        self.create(PODS, pod("a"))
        self.assertIn('"items":[{"metadata":{"name":"a"', self.sim.get(PODS).text)
        partial = self.sim.get(PODS, headers={
            "Accept": "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"}).json
        self.assertEqual(partial["kind"], "PartialObjectMetadataList")
        self.assertEqual(set(partial["items"][0]), {"kind", "apiVersion", "metadata"})

    def test_recorded_objects_come_back_byte_for_byte(self):
        def plain(text):
            return re.sub(r'"resourceVersion":"[0-9]+"', '"resourceVersion":"N"', text)

        self.create(CRDS, widget_crd())
        for name, path, kind, version in (
                ("nodes.json", "/api/v1/nodes", "Node", "v1"), ("pods.by-label.json", PODS, "Pod", "v1"),
                ("replicasets.json", "/apis/apps/v1/namespaces/default/replicasets", "ReplicaSet", "apps/v1"),
                ("deployments.json", "/apis/apps/v1/namespaces/default/deployments", "Deployment", "apps/v1"),
                ("widgets.json", WIDGETS, "Widget", "example.dev/v1")):
            with self.subTest(name):
                want = corpus("list/" + name)
                items = json.loads(want)["items"]
                self.assertTrue(items)
                self.sim.play(*[{"op": "create", "object": {**item, "kind": kind, "apiVersion": version}}
                                for item in items])
                self.assertEqual(plain(self.sim.get(path).text), plain(want))
        want = [line for line in corpus("watch/widgets.crd-deleted.ndjson").splitlines()]
        self.sim.play({"op": "create", "object": json.loads(want[0])["object"]})
        watch = self.sim.watch_from_start(WIDGETS)
        self.assertEqual([plain(watch.line()), plain(watch.line())], [plain(line) for line in want[:2]])

    def test_pages_are_one_snapshot(self):
        self.create(CMS, *[config_map(f"c{i}") for i in range(7)])
        first = self.sim.get(CMS + "?limit=3").json
        self.assertEqual(first["metadata"]["remainingItemCount"], 4)
        self.sim.delete(CMS + "/c4")
        self.create(CMS, config_map("c31"))
        self.sim.merge(CMS + "/c5", {"data": {"k": "changed"}})
        seen, page, pages = [i["metadata"]["name"] for i in first["items"]], first, 1
        while page["metadata"].get("continue"):
            page = self.sim.get(f"{CMS}?limit=3&continue={page['metadata']['continue']}").json
            self.assertEqual(page["metadata"]["resourceVersion"], first["metadata"]["resourceVersion"])
            for item in page["items"]:
                seen.append(item["metadata"]["name"])
                self.assertEqual(item["data"]["k"], "v")
            pages += 1
        self.assertEqual((seen, pages), ([f"c{i}" for i in range(7)], 3))
        exact = self.sim.get(f"{CMS}?resourceVersion={first['metadata']['resourceVersion']}&resourceVersionMatch=Exact")
        self.assertEqual(self.names(exact), [f"c{i}" for i in range(7)])

    def test_expired_pages(self):
        self.create(CMS, *[config_map(f"c{i}") for i in range(4)])
        first = self.sim.get(CMS + "?limit=2").json
        self.create(CMS, config_map("c9"))
        self.sim.play({"op": "compact"})
        gone = self.sim.get(f"{CMS}?limit=2&continue={first['metadata']['continue']}")
        want = json.loads(corpus("error/410.continue.json"))
        self.assertEqual((gone.status, gone.json["message"]), (410, want["message"]))
        fresh = self.sim.get(f"{CMS}?limit=9&continue={gone.json['metadata']['continue']}")
        self.assertEqual(self.names(fresh), ["c2", "c3", "c9"])
        exact = self.sim.get(CMS + "?resourceVersion=2&resourceVersionMatch=Exact&limit=1")
        self.assertEqual(exact.text, corpus("error/410.list.json"))
        self.assert_problem(self.sim.get(CMS + "?limit=2&continue=nonsense"), 400, "BadRequest",
                            "continue key is not valid")

    def test_versions(self):
        self.create(CMS, config_map("a"), config_map("b"))
        self.assertEqual(self.names(self.sim.get(CMS + "?resourceVersion=0&limit=1")), ["a", "b"])
        late = self.sim.get(PODS + "?resourceVersion=999999999&resourceVersionMatch=NotOlderThan")
        self.assertEqual((late.status, late.headers["retry-after"]), (504, "1"))
        want = json.loads(corpus("error/504.future-list.json"))
        self.assertEqual(late.json["details"], want["details"])

    def test_selectors(self):
        self.create(CMS, config_map("a", labels={"app": "x", "n": "5"}), config_map("b", labels={"app": "y"}),
                    config_map("c"))
        for selector, names in (
                ("app", "ab"), ("!app", "c"), ("app=x", "a"), ("app==x", "a"), ("app!=x", "bc"), ("app in (x,y)", "ab"),
                ("app notin (x)", "bc"), ("app,n", "a"), ("n>4", "a"), ("n<4", ""), ("app in (x),n", "a"), ("", "abc")):
            with self.subTest(selector):
                answer = self.sim.request(CMS, extra=["-G", "--data-urlencode", f"labelSelector={selector}"])
                self.assertEqual("".join(self.names(answer)), names)
        for selector, names in (("metadata.name=b", "b"), ("metadata.name!=b", "ac"), ("metadata.namespace=default", "abc"),
                                ("metadata.namespace=other", ""), ("metadata.name=none", "")):
            with self.subTest(selector):
                answer = self.sim.request("/api/v1/configmaps", extra=["-G", "--data-urlencode", f"fieldSelector={selector}"])
                self.assertEqual("".join(self.names(answer)), names)
        self.create(PODS, pod("p", nodeName="n1"), pod("q"))
        self.assertEqual(self.names(self.sim.get(PODS + "?fieldSelector=spec.nodeName%3Dn1")), ["p"])
        self.assertEqual(self.names(self.sim.get(PODS + "?fieldSelector=status.phase%3DPending")), ["p", "q"])
        for bad in ("app in x", "app in (x", "=x", "a,,b"):
            answer = self.sim.request(CMS, extra=["-G", "--data-urlencode", f"labelSelector={bad}"])
            self.assertEqual(answer.status, 400, bad)

    def test_long_lists_are_gzipped_on_demand(self):
        self.create(CMS, *[config_map(f"c{i}", data={"k": "x" * 60000}) for i in range(4)])
        plain = self.sim.get(CMS)
        self.assertEqual(int(plain.headers["content-length"]), len(plain.text))
        packed = self.sim.get(CMS, extra=["--compressed"], headers={"Accept-Encoding": "gzip"})
        self.assertEqual((packed.headers["content-encoding"], packed.text), ("gzip", plain.text))


class Watches(Case):
    arguments = ("--bookmark-ms", "200", "--history", "50")

    def test_initial_events_then_live_ones(self):
        self.create(CMS, config_map("a"), config_map("b"))
        watch = self.sim.watch_from_start(CMS)
        events = watch.events_until(is_end_of_initial)
        self.assertEqual([e["type"] for e in events], ["ADDED", "ADDED", "BOOKMARK"])
        self.assertEqual(events[0]["object"]["kind"], "ConfigMap")
        self.create(CMS, config_map("c"))
        self.sim.merge(CMS + "/a", {"data": {"k": "w"}})
        self.sim.delete(CMS + "/b")
        live = [e for e in watch.events_until(lambda e: e["type"] == "DELETED") if e["type"] != "BOOKMARK"]
        self.assertEqual([(e["type"], e["object"]["metadata"]["name"]) for e in live],
                         [("ADDED", "c"), ("MODIFIED", "a"), ("DELETED", "b")])
        versions = [int(e["object"]["metadata"]["resourceVersion"]) for e in events[-1:] + live]
        self.assertEqual(versions, sorted(set(versions)))

    def test_bookmarks_and_timeout(self):
        watch = self.sim.watch(PODS, resourceVersion=self.sim.get(PODS).json["metadata"]["resourceVersion"],
                               timeoutSeconds=1)
        self.create(CMS, config_map("a"))
        events = watch.rest()
        self.assertEqual({e["type"] for e in events}, {"BOOKMARK"})
        self.assertEqual(watch.end(), 0)
        want = corpus("watch/pods.initial.ndjson").splitlines()[6]
        bookmark = json.loads(want)
        self.assertEqual(list(events[0]["object"]), list(bookmark["object"]))
        self.assertEqual(events[0]["object"]["spec"], bookmark["object"]["spec"])

    def test_resume(self):
        made = self.create(CMS, config_map("a"))
        version = made["metadata"]["resourceVersion"]
        self.sim.merge(CMS + "/a", {"data": {"k": "1"}})
        self.create(CMS, config_map("b"))
        events = self.sim.watch(CMS, resourceVersion=version)
        self.assertEqual([events.event()["type"], events.event()["type"]], ["MODIFIED", "ADDED"])

    def test_expired_resume_is_an_error_event(self):
        self.create(CMS, config_map("a"))
        self.sim.play({"op": "compact"})
        watch = self.sim.watch(CMS, resourceVersion="2")
        event = watch.event()
        self.assertEqual((event["type"], event["object"]["reason"], event["object"]["code"]), ("ERROR", "Expired", 410))
        self.assertRegex(event["object"]["message"], r"^too old resource version: 2 \(\d+\)$")
        self.assertIsNone(watch.event())

    def test_history_window(self):
        self.sim.play({"op": "create", "count": 60, "object": config_map("c{i}")})
        self.assertEqual(self.sim.watch(CMS, resourceVersion="6").event()["object"]["code"], 410)
        recent = self.sim.watch(CMS, resourceVersion=str(self.sim.stats()["resource_version"] - 40))
        for _ in range(40):
            self.assertEqual(recent.event()["type"], "ADDED")

    def test_future_version_waits_silently(self):
        watch = self.sim.watch(CMS, resourceVersion="8", timeoutSeconds=2)
        for name in "abcde":
            self.create(CMS, config_map(name))
        names = [e["object"]["metadata"].get("name") for e in watch.rest() if e["type"] != "BOOKMARK"]
        self.assertEqual(names, ["d", "e"])

    def test_selector_is_entered_and_left(self):
        self.create(CMS, config_map("a", labels={"x": "1"}))
        watch = self.sim.watch_from_start(CMS, labelSelector="x=1")
        watch.events_until(is_end_of_initial)
        changed = self.sim.merge(CMS + "/a", {"metadata": {"labels": {"x": "2"}}}).json
        left = watch.events_until(lambda e: e["type"] != "BOOKMARK")[-1]
        self.assertEqual(left["type"], "DELETED")
        self.assertEqual(left["object"]["metadata"]["labels"], {"x": "1"})
        self.assertEqual(left["object"]["metadata"]["resourceVersion"], changed["metadata"]["resourceVersion"])
        self.sim.merge(CMS + "/a", {"metadata": {"labels": {"x": "1"}}})
        self.assertEqual(watch.events_until(lambda e: e["type"] != "BOOKMARK")[-1]["type"], "ADDED")

    def test_one_name(self):
        watch = self.sim.watch_from_start(CMS, fieldSelector="metadata.name=b")
        watch.events_until(is_end_of_initial)
        for name in "abc":
            self.create(CMS, config_map(name))
        self.sim.play({"op": "update", "count": 120, "object": config_map("a", labels={"n": "{i}"})})
        self.sim.delete(CMS + "/b")
        events = [e for e in watch.events_until(lambda e: e["type"] == "DELETED") if e["type"] != "BOOKMARK"]
        self.assertEqual([(e["type"], e["object"]["metadata"]["name"]) for e in events], [("ADDED", "b"), ("DELETED", "b")])

    def test_all_namespaces_and_metadata_only(self):
        watch = self.sim.watch_from_start("/api/v1/configmaps", headers={
            "Accept": "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"})
        watch.events_until(is_end_of_initial)
        self.create(CMS, config_map("a"))
        self.create("/api/v1/namespaces/kube-system/configmaps", config_map("b", "kube-system"))
        events = [watch.events_until(lambda e: e["type"] == "ADDED")[-1] for _ in "ab"]
        self.assertEqual([e["object"]["metadata"]["namespace"] for e in events], ["default", "kube-system"])
        self.assertEqual(events[0]["object"]["kind"], "PartialObjectMetadata")
        self.assertNotIn("data", events[0]["object"])

    def test_plain_watch_from_any_version_is_a_streaming_one(self):
        self.create(CMS, config_map("a"))
        self.assertTrue(is_end_of_initial(self.sim.watch(CMS).events_until(is_end_of_initial)[-1]))
        self.sim.play({"op": "feature", "name": "watch-list", "on": False})
        old = self.sim.watch(CMS, timeoutSeconds=1).rest()
        self.assertEqual(old[0]["type"], "ADDED")
        self.assertFalse(any(is_end_of_initial(e) for e in old))

    def test_a_reader_that_goes_is_forgotten(self):
        watch = self.sim.watch_from_start(CMS)
        watch.events_until(is_end_of_initial)
        self.assertEqual(self.sim.stats()["watches_open"], 1)
        watch.close()
        self.sim.stats_until(lambda s: s["watches_open"] == 0)


class CustomResources(Case):
    def test_life_of_a_crd(self):
        self.assertEqual(self.sim.get(WIDGETS).text, "404 page not found\n")
        self.create(CRDS, widget_crd())
        crd = self.sim.get(CRDS + "/widgets.example.dev").json
        conditions = {c["type"]: c["status"] for c in crd["status"]["conditions"]}
        self.assertEqual(conditions, {"NamesAccepted": "True", "Established": "True"})
        made = self.create(WIDGETS, widget("gadget"))
        self.assertEqual(made["metadata"]["generation"], 1)
        watch = self.sim.watch_from_start(WIDGETS)
        watch.events_until(is_end_of_initial)
        self.sim.delete(CRDS + "/widgets.example.dev")
        self.assertEqual([e["type"] for e in watch.rest()], ["DELETED"])
        self.assertEqual(self.sim.get(WIDGETS).text, corpus("error/404.crd-deleted.txt"))
        self.create(CRDS, widget_crd())
        self.assertEqual(self.names(self.sim.get(WIDGETS)), [])
        old = self.sim.watch(WIDGETS, resourceVersion=made["metadata"]["resourceVersion"]).event()
        self.assertEqual(old["object"]["code"], 410)

    def test_held_instances_hold_the_crd(self):
        self.create(CRDS, widget_crd())
        self.create(WIDGETS, widget("held", finalizers=["x/y"]))
        crd = self.sim.delete(CRDS + "/widgets.example.dev").json
        self.assertIn("customresourcecleanup.apiextensions.k8s.io", crd["metadata"]["finalizers"])
        self.sim.merge(WIDGETS + "/held", {"metadata": {"finalizers": None}})
        self.assertEqual(self.sim.get(CRDS + "/widgets.example.dev").status, 404)
        self.assertEqual(self.sim.get(WIDGETS).status, 404)

    def test_changed_spec_ends_watches(self):
        self.create(CRDS, widget_crd())
        self.create(WIDGETS, widget("gadget"))
        watch = self.sim.watch_from_start(WIDGETS)
        watch.events_until(is_end_of_initial)
        crd = self.sim.get(CRDS + "/widgets.example.dev").json
        crd["spec"]["versions"].append({**crd["spec"]["versions"][0], "name": "v2", "storage": False})
        self.assertEqual(self.sim.put(CRDS + "/widgets.example.dev", crd).status, 200)
        self.assertIsNone(watch.event())
        both = [self.sim.get(f"/apis/example.dev/{v}/namespaces/default/widgets/gadget").json for v in ("v1", "v2")]
        self.assertEqual([o["apiVersion"] for o in both], ["example.dev/v1", "example.dev/v2"])

    def test_a_bad_crd_is_refused(self):
        bad = widget_crd()
        bad["metadata"]["name"] = "gadgets.example.dev"
        self.assert_problem(self.sim.post(CRDS, bad), 422, "Invalid", "must be spec.names.plural")
        self.create(CRDS, widget_crd(scope="Cluster"))
        self.assertEqual(self.sim.get("/apis/example.dev/v1/widgets").status, 200)
        self.assertEqual(self.sim.get(WIDGETS).status, 404)
        made = self.create("/apis/example.dev/v1/widgets", widget("w"))
        self.assertNotIn("namespace", made["metadata"])
        del made["metadata"]["resourceVersion"]
        self.assert_problem(self.sim.put("/apis/example.dev/v1/widgets/w", made), 422, "Invalid", "must be specified")


class Identities(Case):
    def review(self, kind, group, spec, token="admin"):
        plural = kind.lower() + "s"
        answer = self.sim.post(f"/apis/{group}/v1/{plural}", {"apiVersion": f"{group}/v1", "kind": kind, "spec": spec},
                               token=token)
        self.assertEqual(answer.status, 201, answer.text)
        return answer.json["status"]

    def test_rights_by_user_group_name_and_namespace(self):
        self.sim.play({"op": "token", "token": "b", "user": "bob", "groups": ["devs"]},
                      {"op": "token", "token": "e", "user": "eve"},
                      {"op": "rbac", "group": "devs", "verbs": ["get", "list", "watch"], "groups": [""],
                       "resources": ["configmaps"], "namespaces": ["default"], "names": ["a"]})
        self.create(CMS, config_map("a"), config_map("b"))
        self.assertEqual(self.sim.get(CMS + "/a", token="b").status, 200)
        self.assert_problem(self.sim.get(CMS + "/b", token="b"), 403, "Forbidden", 'User "bob" cannot get')
        self.assertEqual(self.names(self.sim.get(CMS + "?fieldSelector=metadata.name%3Da", token="b")), ["a"])
        self.assertEqual(self.sim.get(CMS, token="b").status, 403)
        self.assertEqual(self.sim.get(CMS, token="e").status, 200)
        self.assertEqual(self.sim.get("/apis", token="b").status, 200)
        self.sim.play({"op": "rbac", "user": "eve", "verbs": []})
        self.assertEqual(self.sim.get(CMS, token="e").status, 403)
        self.sim.play({"op": "rbac-clear", "user": "eve"}, {"op": "token-revoke", "token": "b"})
        self.assertEqual(self.sim.get(CMS, token="e").status, 200)
        self.assertEqual(self.sim.get(CMS, token="b").status, 401)

    def test_running_watches_survive_revocation(self):
        self.sim.play({"op": "token", "token": "b", "user": "bob"})
        watch = self.sim.watch_from_start(CMS, token="b")
        watch.events_until(is_end_of_initial)
        self.sim.play({"op": "rbac", "user": "bob", "verbs": []}, {"op": "token-revoke", "token": "b"})
        self.create(CMS, config_map("a"))
        self.assertEqual(watch.event()["type"], "ADDED")

    def test_reviews(self):
        self.sim.play({"op": "token", "token": "b", "user": "bob", "groups": ["devs"]},
                      {"op": "rbac", "user": "bob", "verbs": ["get"], "resources": ["pods"]})
        me = self.review("SelfSubjectReview", "authentication.k8s.io", None, token="b")
        self.assertEqual(me["userInfo"]["username"], "bob")
        self.assertEqual(me["userInfo"]["groups"], ["devs", "system:authenticated"])
        good = self.review("TokenReview", "authentication.k8s.io", {"token": "b", "audiences": ["x"]})
        self.assertTrue(good["authenticated"])
        self.assertEqual(good["audiences"], ["x"])
        self.assertNotIn("authenticated", self.review("TokenReview", "authentication.k8s.io", {"token": "no"}))
        for verb, allowed in (("get", True), ("watch", False)):
            spec = {"resourceAttributes": {"verb": verb, "resource": "pods", "namespace": "default"}}
            mine = self.review("SelfSubjectAccessReview", "authorization.k8s.io", spec, token="b")
            theirs = self.review("SubjectAccessReview", "authorization.k8s.io", {**spec, "user": "bob"})
            self.assertEqual((mine["allowed"], theirs["allowed"]), (allowed, allowed))

    def test_impersonation(self):
        self.sim.play({"op": "token", "token": "b", "user": "bob"}, {"op": "rbac", "user": "bob", "verbs": []},
                      {"op": "rbac", "group": "readers", "verbs": ["list"]})
        as_eve = {"Impersonate-User": "eve", "Impersonate-Group": "readers"}
        self.assertEqual(self.sim.get(PODS, headers=as_eve).status, 200)
        self.assert_problem(self.sim.get(PODS + "/p", headers=as_eve), 403, "Forbidden", 'User "eve"')
        self.assert_problem(self.sim.get(PODS, headers=as_eve, token="b"), 403, "Forbidden", 'cannot impersonate')
        self.assertEqual(self.sim.get(PODS, headers={"Impersonate-Group": "x"}).status, 400)

    def test_service_account_tokens(self):
        path = "/api/v1/namespaces/default/serviceaccounts"
        self.create(path, {"metadata": {"name": "robot"}})
        answer = self.sim.post(path + "/robot/token", {"spec": {}})
        self.assertEqual(answer.status, 201, answer.text)
        me = self.review("SelfSubjectReview", "authentication.k8s.io", None, token=answer.json["status"]["token"])
        self.assertEqual(me["userInfo"]["username"], "system:serviceaccount:default:robot")

    def test_control_is_for_the_admin(self):
        self.sim.play({"op": "token", "token": "b", "user": "bob"})
        for token in ("b", None, "nobody"):
            self.assertEqual(self.sim.get("/kubesim/stats", token=token).status, 403)
        self.assertEqual(self.sim.get("/kubesim/nothing").status, 404)


if __name__ == "__main__":
    support.main(__name__)
