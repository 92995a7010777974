#!/usr/bin/env python3
"""Writes ONNX's backend node tests of the installed package in the layout of `mutirao model test`.

    pip install onnx numpy && tools/onnx-nodes.py DIR && bin/mutirao model test DIR/node
"""
import sys

import onnx.backend.test.case.node
import onnx.backend.test.cmd_tools as tools


class NodesOnly:
    """Stands for the module of model tests, some of which are downloaded."""

    @staticmethod
    def collect_testcases():
        return onnx.backend.test.case.node.collect_testcases()


tools.model_test = NodesOnly
sys.argv = [sys.argv[0], "generate-data", "-o", sys.argv[1]]
tools.main()
