/** Pages of one column, which need no script but for the menus of the bar. */

import { wireMenus } from "./menus";

wireMenus();
