"""Runs the job beside this archive: `python runner.pyz`."""

import os
import sys

from pya_runner.entry import main

# This file is in the archive, which is in the job's folder.
sys.exit(main(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
